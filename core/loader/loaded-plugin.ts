import type { DependencyContainer } from 'tsyringe';
import type { TObject } from 'typebox';
import { stamp } from '../blame.js';
import type { PluginEntry } from '../config/plugin-schema.js';
import type { GatewayPlugin, PluginDefinition, PluginRef } from '../plugin.js';

/** Plugin id to `false`, `true` or overriding options, as a service or a route declares them. */
export interface PluginOverrides {
  readonly plugins: Readonly<Record<string, boolean | Readonly<Record<string, unknown>>>>;
  /** Where they stand in the configuration, for messages. */
  readonly path: readonly (string | number)[];
}

/** Validates options; `path` says in messages where they stand. */
export type OptionsValidator = (value: unknown, path: readonly (string | number)[]) => unknown;

/** A plugin of a generation: its entry in the list, its definition, and the instance at work. */
export class LoadedPlugin {
  readonly id: string;
  readonly entry: PluginEntry;
  readonly definition: PluginDefinition;
  readonly instance: GatewayPlugin;
  /** The container that the instance was built in; disposed of with the generation. */
  readonly container: DependencyContainer;
  readonly #validate: OptionsValidator;
  readonly #options: unknown;

  constructor(init: {
    readonly entry: PluginEntry;
    readonly definition: PluginDefinition<TObject>;
    readonly instance: GatewayPlugin;
    readonly container: DependencyContainer;
    readonly options: unknown;
    readonly validate: OptionsValidator;
  }) {
    this.id = init.entry.id;
    this.entry = init.entry;
    this.definition = init.definition;
    this.instance = init.instance;
    this.container = init.container;
    this.#options = init.options;
    this.#validate = init.validate;
  }

  /** How other plugins see it. */
  get ref(): PluginRef {
    return { id: this.id, name: this.definition.name, provides: this.definition.provides ?? [] };
  }

  /** The entry's own options: validated, with defaults, frozen. */
  get options(): unknown {
    return this.#options;
  }

  /**
   * The options in effect under the overrides of a service and a route, the later ones over the earlier.
   *
   * @returns undefined where the plugin is switched off
   * @throws ConfigurationError when the overridden options are invalid
   */
  optionsFor(overrides: readonly PluginOverrides[]): unknown {
    let on = true;
    let merged: Record<string, unknown> | undefined;
    let path: PluginOverrides['path'] = [];
    for (const level of overrides) {
      const override = Object.hasOwn(level.plugins, this.id) ? level.plugins[this.id] : undefined;
      if (override === undefined) continue;
      on = override !== false;
      if (typeof override !== 'object') continue;
      merged = { ...(merged ?? this.entry.options), ...override };
      path = level.path;
    }
    if (!on) return undefined;
    return merged === undefined ? this.#options : this.#validate(merged, path);
  }

  /** Calls into the plugin, and stamps what it fails with. */
  guard<T>(member: string, call: () => T): T {
    try {
      return call();
    } catch (failure) {
      stamp(failure, { plugin: this.id, member });
      throw failure;
    }
  }
}
