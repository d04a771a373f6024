// Preloaded into subjects on Node.js: tells the benchmark how much CPU the process has used, to the microsecond, where the
// counters that Linux shows to others may go by 10 ms.
process.on('message', (message) => {
  if (message === 'cpu') process.send?.(process.cpuUsage());
});
// The channel is not to keep the process alive.
process.channel?.unref();
