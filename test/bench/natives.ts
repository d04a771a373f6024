import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { StartContext } from './subjects.js';

/** The version of an installed program, or undefined when it is not installed. */
export function installedVersion(program: string): string | undefined {
  const run = spawnSync(program, ['-v'], { encoding: 'utf8' });
  if (run.error) return undefined;
  return /\d+(?:\.\d+)+/.exec(run.stdout + run.stderr)?.[0] ?? 'of unknown version';
}

/** nginx with one worker and kept-alive upstream connections, as a plain reverse proxy. */
export function nginx({ port, upstream, directory }: StartContext): [string, ...string[]] {
  const file = path.join(directory, 'nginx.conf');
  const tempPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${kind};`,
  );
  writeFileSync(
    file,
    `worker_processes 1;
    daemon off;
    pid nginx.pid;
    error_log stderr error;
    events { worker_connections 4096; }
    http {
      access_log off;
      ${tempPaths.join('\n')}
      keepalive_requests 1000000000;
      client_body_buffer_size 64k;
      proxy_max_temp_file_size 0;
      upstream bench {
        server ${new URL(upstream).host};
        keepalive 1024;
        keepalive_requests 1000000000;
      }
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location / {
          proxy_pass http://bench;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
        }
      }
    }`,
  );
  return ['nginx', '-e', 'stderr', '-p', directory, '-c', file];
}

/** HAProxy with one thread and kept-alive upstream connections. */
export function haproxy({ port, upstream, directory }: StartContext): [string, ...string[]] {
  const file = path.join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
      nbthread 1
      maxconn 4096
    defaults
      mode http
      http-reuse always
      timeout connect 5s
      timeout client 60s
      timeout server 60s
    frontend bench
      bind 127.0.0.1:${port} backlog 4096
      default_backend upstream
    backend upstream
      server upstream ${new URL(upstream).host}
`,
  );
  return ['haproxy', '-db', '-f', file];
}
