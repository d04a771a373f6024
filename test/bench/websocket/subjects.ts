import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serviceNames, writeGatewayConfig } from '../gateway-config.js';
import type { Subject } from '../subjects.js';

/** What the others are compared with. */
export const YARDSTICK = 'ws-pipe';
export const MANAGED = 'managed';

/** The WebSocket server behind the subjects. */
export const ECHO: Subject = script('echo', 'the echo server');

/** Where a WebSocket is asked for, of every subject. */
export const PATH = `/ws/${ECHO.services[0]}/live`;

/** What passes WebSockets on, in the order of a round. */
export const SUBJECTS: readonly Subject[] = [
  script(YARDSTICK, 'ws piped to ws (yardstick)'),
  script('http-proxy', 'http-proxy'),
  gateway(MANAGED, 'this gateway, managed'),
  gateway('tunnel', 'this gateway, tunnel'),
];

const PROBE = fileURLToPath(new URL('./subjects/memory-probe.mjs', import.meta.url));

/** The same, telling its memory to whoever connects to `probe.sock` in its directory. */
export function probed(subject: Subject): Subject {
  return {
    ...subject,
    command(context) {
      const [node, ...args] = subject.command(context);
      return [node, '--expose-gc', '--import', PROBE, ...args];
    },
  };
}

function script(name: string, title: string): Subject {
  const file = fileURLToPath(new URL(`./subjects/${name}.mjs`, import.meta.url));
  return {
    name,
    title,
    kind: name === YARDSTICK ? 'reference' : 'node-peer',
    services: serviceNames(1),
    headers: {},
    command: () => [process.execPath, file],
    missing: () => undefined,
  };
}

/** This gateway, as production runs it: the build, started by its command line. */
function gateway(mode: string, title: string): Subject {
  const main = fileURLToPath(new URL('../../../dist/core/cli/main.js', import.meta.url));
  return {
    ...script(mode, title),
    kind: 'gateway',
    command({ port, upstream, directory }) {
      const plugins = [{ 'ws-proxy': { mode } }];
      const services = serviceNames(1);
      const config = { port, upstream, services, level: 'WARNING', plugins };
      return [process.execPath, main, 'start', '--config', writeGatewayConfig(directory, config)];
    },
    missing: () => (existsSync(main) ? undefined : 'the gateway is not built'),
  };
}
