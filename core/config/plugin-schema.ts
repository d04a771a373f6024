import { type Static, Type } from 'typebox';

/** How plugins stand in a configuration, in normal form; see schema.ts. */

const closed = { additionalProperties: false } as const;

/** Ids that an entry of the plugin list may have: they stand in logs and metric labels. */
export const PLUGIN_ID_PATTERN = '^[a-z0-9][a-z0-9._-]{0,62}$';

/** An object whose keys are known to a plugin only. */
const FreeForm = (annotations: { default?: object; description?: string }) =>
  Type.Unsafe<Readonly<Record<string, unknown>>>(
    Type.Object({}, { additionalProperties: true, ...annotations }),
  );

export const PluginOverrides = Type.Record(Type.String(), Type.Union([Type.Boolean(), FreeForm({})]), {
  default: {},
  description: 'Plugin id to `false` (off here), `true`, or options that override the entry’s own.',
});

export const PluginEntrySchema = Type.Object(
  {
    use: Type.String({
      minLength: 1,
      description: 'Built-in name, npm package, or path relative to the configuration file.',
    }),
    id: Type.String({
      pattern: PLUGIN_ID_PATTERN,
      description: 'Unique; the plugin’s name by default.',
    }),
    enabled: Type.Boolean({ default: true, description: 'Off: the entry is checked, and not run.' }),
    options: FreeForm({ default: {}, description: 'Options of the plugin.' }),
  },
  { ...closed, description: 'A plugin in the list.' },
);

export type PluginEntry = Static<typeof PluginEntrySchema>;
