// A plugin that does nothing: the row with it shows what an onion costs that has anything in it at all, and the rows
// of the real plugins show what they add to that.
export default {
  name: 'empty',
  summary: 'Passes every request on.',
  options: { type: 'object', properties: {}, additionalProperties: false },
  plugin: class {
    middleware() {
      return (_ctx, next) => next();
    }
  },
};
