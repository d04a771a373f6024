import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import { readYaml } from '../../../core/config/loaders.js';
import { parseSettings } from '../../../core/config/parse.js';
import { isRecord, recordOf } from '../../../core/config/paths.js';
import { configurationReference } from '../../../core/config/reference.js';
import { SettingsSchema } from '../../../core/config/schema.js';
import { configurationSchema } from '../../../core/config/schema-file.js';

const file = fileURLToPath(new URL('../../../config/default.gatewayrc.yaml', import.meta.url));
const text = readFileSync(file, 'utf8');
/** The file with every setting that is commented out put to use. */
const uncommented = text.replace(/^( *)#(?=[a-z]| {2})/gm, '$1');
const context = {
  source: 'default.gatewayrc.yaml',
  baseDirectory: '.',
  env: { GATEWAY_ADMIN_TOKEN: 'a token of enough length' },
  catalogueNames: [],
};

describe('config/default.gatewayrc.yaml', () => {
  it('changes nothing as it stands', () => {
    const own = parseSettings(readYaml(file, text), context).settings;
    expect(own).to.deep.equal(parseSettings({}, context).settings);
  });

  it('is valid with everything put to use', () => {
    const { settings, warnings } = parseSettings(readYaml(file, uncommented), context);
    expect(Object.keys(settings.services)).to.deep.equal(['my-other-service', 'my-service']);
    expect(warnings).to.deep.equal([]);
  });

  it('gives the same service with all defaults written out as with none', () => {
    const { settings } = parseSettings(readYaml(file, uncommented), context);
    const short = parseSettings({ services: { 'my-service': 'http://localhost:8081' } }, context).settings;
    // These have examples for what has no default, or are off unless they are written out.
    const { loadBalancing, tls, outlierEjection, slowStart, concurrency, ...full } =
      settings.services['my-service'] ?? expect.fail('no such service');
    expect([outlierEjection, slowStart, concurrency]).not.to.include(undefined);
    const { hashKey: _, ...balancing } = loadBalancing;
    const defaults = { ...full, loadBalancing: balancing, tls: { verify: tls.verify } };
    expect(defaults).to.deep.equal(short.services['my-service']);
  });

  it('mentions every setting of the schema, with its default', () => {
    const faults: string[] = [];
    compare(SettingsSchema, readYaml(file, uncommented), '', faults);
    expect(faults).to.deep.equal([]);
  });

  it('is accepted by the schema for editors, also with everything put to use', () => {
    const validate = new Ajv({ strict: false }).compile(configurationSchema([]));
    expect(validate(readYaml(file, text)), JSON.stringify(validate.errors)).to.equal(true);
    expect(validate(readYaml(file, uncommented)), JSON.stringify(validate.errors)).to.equal(true);
  });
});

describe('configurationReference', () => {
  it('has a row for every setting, with type and default', () => {
    const reference = configurationReference();
    expect(reference).to.include(
      '| `port` | integer, 0 to 65535 | `8080` | TCP port to listen on; 0 for any free one. |',
    );
    expect(reference).to.include('| `services.<name>.targets[].weight` | integer, 0 to 1000 | `1` |');
    expect(reference).to.include('| `services.<name>.health.interval` | duration | `30s` |');
    expect(reference).to.include('| `routes[].match.path` | string | required |');
  });
});

/** Lists the properties of a schema that a document does not mention, or with another value than the default. */
function compare(schema: unknown, document: unknown, path: string, faults: string[]): void {
  for (const [key, property] of Object.entries(recordOf(recordOf(schema).properties))) {
    const at = path === '' ? key : `${path}.${key}`;
    const value = recordOf(document)[key];
    if (value === undefined) {
      faults.push(`${at} is not mentioned`);
      continue;
    }
    compareValue(recordOf(property), value, at, faults);
  }
}

function compareValue(schema: Record<string, unknown>, value: unknown, at: string, faults: string[]): void {
  const [named] = Object.values(recordOf(schema.patternProperties));
  if (isRecord(schema.properties) && Object.keys(schema.properties).length > 0)
    compare(schema, value, at, faults);
  else if (isRecord(named) && isRecord(named.properties))
    compare(named, recordOf(value)['my-service'], at, faults);
  else if (isRecord(schema.items) && isRecord(schema.items.properties)) {
    compare(schema.items, Array.isArray(value) ? value[0] : undefined, `${at}[]`, faults);
  } else if ('default' in schema && JSON.stringify(value) !== JSON.stringify(schema.default)) {
    faults.push(`${at} is ${JSON.stringify(value)}, the default is ${JSON.stringify(schema.default)}`);
  }
}
