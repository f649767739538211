// A process of its own for one getaddrinfo(3): that call cannot be interrupted, and a dead DNS server holds it for half a
// minute. Prints {"addresses":[…]} or {"why":"ENOTFOUND"}.
import { lookup } from 'node:dns/promises';

try {
  const found = await lookup(process.argv[2] ?? '', { all: true, verbatim: true });
  process.stdout.write(JSON.stringify({ addresses: found.map((one) => one.address) }));
} catch (error) {
  process.stdout.write(JSON.stringify({ why: (error as NodeJS.ErrnoException).code ?? 'unknown' }));
}
