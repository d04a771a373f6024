import { type AddressInfo, connect, type Server } from 'node:net';

/**
 * Everything that a server sends to a request, until it closes the connection; each byte one character. The server is closed
 * afterwards. A `Date` of another time than `date` reads `now`.
 */
export async function everythingSent(server: Server, request: string, date: string): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('latin1');
  let received = '';
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.end(request);
  await new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => server.close(resolve));
  return received.replaceAll(/Date: ([^\r]*)/g, (line, each) => (each === date ? line : 'Date: now'));
}
