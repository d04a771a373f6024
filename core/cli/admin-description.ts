import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGateway } from '../create-gateway.js';

/** The OpenAPI description of the admin routes, asked of a gateway without services and plugins. */
export async function openApiDescription(): Promise<unknown> {
  // A folder that does not exist, so that no registration of this machine gets in; nothing is written.
  const dataDirectory = path.join(tmpdir(), `gateway-description-${process.pid}`);
  const gateway = createGateway({ host: '127.0.0.1', port: 0, dataDirectory });
  await gateway.start();
  try {
    const { port } = gateway.address();
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/gateway/openapi.json`);
    if (!response.ok) throw new Error(`The gateway gave ${response.status} instead of its description`);
    return await response.json();
  } finally {
    await gateway.stop();
  }
}
