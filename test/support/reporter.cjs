const { reporters, Runner } = require('mocha');

/** Mocha's `spec` report, closed by one line that scripts can read: `N passed, N failed`. */
class SpecWithTotals extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    // Registered after Spec's own epilogue, so that the line is the last one.
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      reporters.Base.consoleLog(`${this.stats.passes} passed, ${this.stats.failures} failed`);
    });
  }
}

module.exports = SpecWithTotals;
