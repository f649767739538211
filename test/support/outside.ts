// Another machine for a container, at the other end of a cable: it answers on TCP and UDP, over IPv4 and IPv6, and says who asked.
import { until } from '../../tools/demo/process.ts';
import { NODE } from './appliance-box.ts';
import type { Container } from './nspawn.ts';

export const OUTSIDE = { four: '192.0.2.1', six: '2001:db8::1' } as const;
/** In another network of the same machine. */
export const FARTHER = { four: '198.51.100.1', six: '2001:db8:1::1' } as const;
const TCP_PORTS = [443, 5986, 6514, 8443];
const UDP_PORTS = [53, 88, 123];

const SERVER = `
  import { createServer } from 'node:net';
  import { createSocket } from 'node:dgram';
  for (const port of ${JSON.stringify(TCP_PORTS)}) createServer((s) => s.on('error', () => {}).end('hello')).listen(port, '::');
  for (const port of ${JSON.stringify(UDP_PORTS)}) {
    const socket = createSocket('udp6');
    socket.on('message', (_, from) => socket.send('hello', from.port, from.address)).bind(port, '::');
  }
  console.log('answers');
  setInterval(() => {}, 1e6);
`;

/** Which ways are open: `tcp 192.0.2.1 443` → `open`, or why not; `silent` where nothing came back. */
const PROBE = `
  import { connect, isIPv6 } from 'node:net';
  import { createSocket } from 'node:dgram';
  const WAIT_MS = Number(process.argv[2]);
  const tcp = (host, port) => new Promise((done) => {
    const socket = connect({ host, port, timeout: WAIT_MS });
    const end = (word) => (socket.destroy(), done(word));
    socket.on('connect', () => end('open')).on('timeout', () => end('silent')).on('error', ({ code }) => end(code));
  });
  const udp = (host, port) => new Promise((done) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const end = (word) => { clearTimeout(timer); try { socket.close(); } catch {} done(word); };
    const timer = setTimeout(() => end('silent'), WAIT_MS);
    socket.on('message', () => end('open')).on('error', ({ code }) => end(code));
    socket.send('x', port, host, (error) => error && end(error.code));
  });
  const asked = process.argv.slice(3);
  const answers = await Promise.all(asked.map((way) => {
    const [protocol, host, port] = way.split(' ');
    return (protocol === 'tcp' ? tcp : udp)(host, Number(port));
  }));
  console.log(JSON.stringify(Object.fromEntries(asked.map((way, i) => [way, answers[i]]))));
`;
/** On a cable between two ends of this machine an answer takes no time; what is dropped takes this long to be seen. */
const WAIT_MS = 500;
const DEADLINE_MS = 30_000;

/** `PROTOCOL ADDRESS PORT`. */
export type Way = `${'tcp' | 'udp'} ${string} ${number}`;

export interface Outside {
  /** What comes of each way for a user of the container. */
  ask(uid: number, ways: readonly Way[], o?: { readonly waitMs?: number }): Promise<Record<string, string>>;
}

/** Its cable ends in the container as `cable`, with 192.0.2.2 and 2001:db8::2, and is the default route. */
export async function openOutside(box: Container): Promise<Outside> {
  box.run(['tee', '/opt/outside.mjs'], SERVER);
  box.run(['tee', '/opt/ask.mjs'], PROBE);
  box.run(['systemd-run', '--quiet', '--unit=outside', '-p', 'PrivateNetwork=yes', NODE, '/opt/outside.mjs']);
  await until(
    'the other machine answers',
    () => (box.run(['journalctl', '-u', 'outside', '-o', 'cat', '--no-pager']).includes('answers') ? true : null),
    DEADLINE_MS,
  );
  const pid = box.run(['systemctl', 'show', 'outside', '--property=MainPID', '--value']).trim();
  const there = (...argv: string[]): string => box.run(['nsenter', `--target=${pid}`, '--net', '--', ...argv]);
  box.run(['ip', 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'far', 'netns', pid]);
  for (const address of ['192.0.2.2/24', '2001:db8::2/64'])
    box.run(['ip', 'addr', 'add', address, 'dev', 'cable', ...nodad(address)]);
  box.run(['ip', 'link', 'set', 'cable', 'up']);
  for (const address of [`${OUTSIDE.four}/24`, `${OUTSIDE.six}/64`, `${FARTHER.four}/32`, `${FARTHER.six}/128`]) {
    there('ip', 'addr', 'add', address, 'dev', 'far', ...nodad(address));
  }
  there('ip', 'link', 'set', 'far', 'up');
  box.run(['ip', 'route', 'add', 'default', 'via', OUTSIDE.four]);
  box.run(['ip', '-6', 'route', 'add', 'default', 'via', OUTSIDE.six]);
  return {
    async ask(uid, ways, { waitMs = WAIT_MS } = {}) {
      const { stdout, stderr } = await box
        .execAs(uid)
        .run([NODE, '/opt/ask.mjs', String(waitMs), ...ways], { deadlineMs: DEADLINE_MS });
      const text = stdout.toString();
      if (!text.startsWith('{')) throw new Error(`${text}${stderr.toString()}`);
      return JSON.parse(text) as Record<string, string>;
    },
  };
}

/** Duplicate addresses are not looked for: there are two machines on this cable. */
const nodad = (address: string): string[] => (address.includes(':') ? ['nodad'] : []);
