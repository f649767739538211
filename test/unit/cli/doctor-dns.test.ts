import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalAddress, decodeAnswer, encodeQuery, type DnsAnswer } from '../../../agent/cli/doctor/dns-message.ts';
import { judgeDnsFilter } from '../../../agent/cli/doctor/judge-dns-filter.ts';
import { sinkholeKind } from '../../../agent/https/sinkhole.ts';
import { judgeDns } from '../../../agent/cli/doctor/judge-dns.ts';
import { parseNameServer, parseResolvConf } from '../../../agent/cli/doctor/name-servers.ts';
import { askServer, systemLookup, type ServerReply } from '../../../agent/cli/doctor/ask-dns.ts';
import type { NameReading, ServerReading } from '../../../agent/cli/doctor/read-names.ts';
import { createExec } from '../../../agent/system/exec.ts';
import { startDnsResponder } from '../../support/dns-responder.ts';

const never = new AbortController().signal;
const NAME = 'central.example';

describe('DNS messages', () => {
  it('never make the reader fail or hang, whatever bytes come, and never pass for an answer to another question', () => {
    const query = encodeQuery(0x1234, NAME, 'A')!;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(60), (noise, keep) => {
        const answer = Buffer.concat([query.subarray(0, keep), noise]);
        if (answer.length > 3) answer[2] = (answer[2] ?? 0) | 0x80;
        decodeAnswer(answer, 0x1234, NAME, 'A');
        expect(decodeAnswer(answer, 0x4321, NAME, 'A') === null || answer.readUInt16BE(0) === 0x4321).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with names that point at themselves are refused', () => {
    const loop = Buffer.alloc(40);
    loop.writeUInt16BE(7, 0);
    loop.writeUInt16BE(0x8180, 2);
    loop.writeUInt16BE(1, 4);
    loop.writeUInt16BE(0xc00c, 12);
    expect(decodeAnswer(loop, 7, NAME, 'A')).toBeNull();
  });

  it('are made for host names only', () => {
    expect(encodeQuery(1, 'a..b', 'A')).toBeNull();
    expect(encodeQuery(1, 'x'.repeat(64), 'A')).toBeNull();
    expect(encodeQuery(1, 'ä.example', 'A')).toBeNull();
    expect(encodeQuery(1, 'a.example.', 'A')).not.toBeNull();
  });

  it.each([
    ['A', ['192.0.2.1', '192.0.2.2']],
    ['AAAA', ['2001:db8::1', 'fe80::1:0:0:2']],
  ] as const)('carry %s records from a real server', async (type, addresses) => {
    const dns = await startDnsResponder(() => ({ alias: 'edge.example', addresses }));
    const server = { address: '127.0.0.1', port: dns.port };
    const reply = (await askServer(server, NAME, type, never)) as DnsAnswer;
    await dns.close();
    expect(reply).toMatchObject({ rcode: 'NOERROR', addresses, truncated: false, extendedError: null });
    expect(await askServer(server, NAME, type, never)).toBe('unreachable');
  });

  it('cannot be sent to a server that no way leads to, which is an answer and no failure', async () => {
    // A link-local address of no interface: the system refuses to connect at once.
    expect(await askServer({ address: 'fe80::1', port: 53 }, NAME, 'A', never)).toBe('unreachable');
  });

  it('spell every IPv6 address in one way', () => {
    expect(canonicalAddress('2001:DB8:0:0:0:0:0:1')).toBe('2001:db8::1');
    expect(canonicalAddress('fe80::1%eth0')).toBe('fe80::1');
    expect(canonicalAddress('192.0.2.1')).toBe('192.0.2.1');
  });
});

describe('the way of the system', () => {
  it('resolves in a child process, and names what it could not', async () => {
    const exec = createExec();
    expect(await systemLookup(exec, 'localhost', never)).toMatchObject({ ok: true });
    expect(await systemLookup(exec, 'no-such-host.invalid', never)).toMatchObject({ ok: false });
  });

  it('is ended where it hangs', async () => {
    const stopped = AbortSignal.abort();
    expect(await systemLookup(createExec(), 'localhost', stopped)).toEqual({ ok: false, why: 'timeout' });
  });
});

describe('name servers', () => {
  it('are read from resolv.conf as the C library does', () => {
    const text =
      '# comment\nsearch a.example\nnameserver 192.0.2.1\n nameserver fe80::1%eth0\nnameserver nonsense\nnameserver ::1\nnameserver 192.0.2.9\n';
    expect(parseResolvConf(text).map((one) => one.address)).toEqual(['192.0.2.1', 'fe80::1%eth0', '::1']);
    expect(parseResolvConf('')).toEqual([]);
  });

  it.each([
    ['192.0.2.1', { address: '192.0.2.1', port: 53 }],
    ['192.0.2.1:5353', { address: '192.0.2.1', port: 5353 }],
    ['2001:db8::1', { address: '2001:db8::1', port: 53 }],
    ['[2001:db8::1]:5353', { address: '2001:db8::1', port: 5353 }],
    ['dns.example', null],
    ['192.0.2.1:0', null],
    ['192.0.2.1:99999', null],
    ['300.0.0.1', null],
    ['', null],
  ])('are taken from the command line: %j', (text, expected) => {
    expect(parseNameServer(text)).toEqual(expected);
  });
});

const answer = (o: Partial<DnsAnswer> = {}): DnsAnswer => ({
  rcode: 'NOERROR',
  addresses: [],
  truncated: false,
  extendedError: null,
  extendedText: '',
  ...o,
});
const nobody = answer({ rcode: 'NXDOMAIN' });
const server = (v4: ServerReply, o: Partial<ServerReading> = {}): ServerReading => ({
  server: { address: '192.0.2.53', port: 53 },
  v4,
  v6: typeof v4 === 'string' ? v4 : answer({ rcode: v4.rcode }),
  madeUp: [nobody, nobody],
  ...o,
});
const good = server(answer({ addresses: ['198.51.100.1'] }));
const reading = (o: Partial<NameReading>): NameReading => ({
  hostname: NAME,
  system: { ok: true, addresses: ['198.51.100.1'] },
  servers: [good],
  ...o,
});
const codesOf = (verdict: ReturnType<typeof judgeDns>): string[] =>
  verdict.state === 'problem' ? verdict.problems.map((p) => p.code) : [verdict.state];

describe('judging names', () => {
  it('finds one of two servers dead, and goes on', () => {
    const verdict = judgeDns(reading({ servers: [server('silent'), good] }));
    expect(codesOf(verdict)).toEqual(['dns_failed']);
    expect(verdict).toMatchObject({ breaks: false });
  });

  it('believes the hosts file where no server answers, and looks no further at servers', () => {
    const silent = reading({ servers: [server('silent')] });
    expect(codesOf(judgeDns(silent))).toEqual(['ok']);
    expect(judgeDnsFilter(silent)).toMatchObject({ state: 'not_looked_at', needs: [] });
  });

  it('says that this machine knows no DNS server', () => {
    expect(codesOf(judgeDns(reading({ system: { ok: false, why: 'EAI_AGAIN' }, servers: [] })))).toEqual([
      'dns_servers_missing',
    ]);
  });

  it('says that the servers know the name and the machine’s own resolver does not', () => {
    const verdict = judgeDns(reading({ system: { ok: false, why: 'EAI_AGAIN' } }));
    expect(codesOf(verdict)).toEqual(['dns_failed']);
    expect(verdict).toMatchObject({ breaks: true });
  });

  it('finds a server that hides the name while another one gives it', () => {
    const verdict = judgeDnsFilter(reading({ servers: [good, server(nobody)] }));
    expect(codesOf(verdict)).toEqual(['dns_filtered']);
    expect(verdict).toMatchObject({ breaks: false });
  });

  it('does not call one wrong address beside a right one a sinkhole', () => {
    const addresses = ['0.0.0.0', '198.51.100.1'];
    expect(codesOf(judgeDnsFilter(reading({ system: { ok: true, addresses } })))).toEqual(['ok']);
  });

  it.each([
    ['0.0.0.0', NAME, true],
    ['::', NAME, true],
    ['127.0.0.53', NAME, true],
    ['::1', NAME, true],
    ['127.0.0.1', 'localhost', false],
    ['127.0.0.1', 'central.test', false],
    ['10.1.2.3', NAME, false],
    ['192.168.7.7', NAME, false],
    ['fd00::7', NAME, false],
    ['198.51.100.1', NAME, false],
  ])('knows %s for %s as a sinkhole: %s', (address, hostname, expected) => {
    expect(sinkholeKind(address, hostname) !== null).toBe(expected);
  });
});
