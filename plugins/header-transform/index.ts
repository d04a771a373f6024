import { Type } from 'typebox';
import { definePlugin } from '../../core/index.js';
import { HeaderTransform } from './header-transform.js';

const closed = { additionalProperties: false };

function values(description: string) {
  return Type.Record(Type.String(), Type.String(), { default: {}, description });
}

function names(description: string) {
  return Type.Array(Type.String({ minLength: 1 }), { default: [], description });
}

export default definePlugin({
  name: 'header-transform',
  summary: 'Sets, adds, renames and removes header fields of requests and responses.',
  options: Type.Object({
    request: Type.Object(
      {
        remove: names('Fields that the upstream does not get.'),
        rename: values('Fields that it gets under another name: old name to new name.'),
        set: values('Fields that it gets instead of the client’s; values may hold variables.'),
        add: values('Values that are added to a field of the client.'),
      },
      { ...closed, default: {}, description: 'What becomes of the fields of requests, in this order.' },
    ),
    response: Type.Object(
      {
        set: values('Fields that the client gets instead of the upstream’s, on errors too.'),
        remove: names('Fields that it does not get.'),
        add: values('Fields that it gets beside those of the same name.'),
      },
      { ...closed, default: {}, description: 'What becomes of the fields of responses, in this order.' },
    ),
  }),
  order: { after: ['auth-jwt', 'auth-apikey'], before: ['response-cache'] },
  plugin: HeaderTransform,
});
