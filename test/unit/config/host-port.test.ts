import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHostPort } from '../../../agent/config/host-port.ts';

describe('a host in a list', () => {
  it.each([
    ['central.example', 'central.example', null],
    ['Central.example:8443', 'Central.example', 8_443],
    ['192.0.2.7', '192.0.2.7', null],
    ['192.0.2.7:1', '192.0.2.7', 1],
    ['2001:db8::1', '2001:db8::1', null],
    ['[2001:db8::1]', '2001:db8::1', null],
    ['[2001:db8::1]:65535', '2001:db8::1', 65_535],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1', null],
  ])('%s is a host, with its port where it has one', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port });
  });

  it.each([
    ...['', '*', '*.example', 'https://a.example', 'a.example/path', 'a..example', '-a.example', 'a b', 'a.example:'],
    ...['a.example:0', 'a.example:65536', 'a.example:8443:1', '192.0.2.256', '192.0.2', '1.2.3.4.5', '[192.0.2.1]:1'],
    ...['[2001:db8::1', '2001:db8::1%eth0', '[::1%lo]:1', `${'a'.repeat(64)}.example`, `${'a.'.repeat(127)}ab`],
  ])('%j is none', (text) => {
    expect(parseHostPort(text)).toBeNull();
  });

  it('never gives what a port or a set of the kernel cannot hold', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: -10, max: 99_999 }), (text, port) => {
        for (const found of [parseHostPort(text), parseHostPort(`${text}:${port}`)]) {
          if (found === null) continue;
          expect(found.host).toMatch(/^[A-Za-z0-9.:-]+$/);
          expect(found.port === null || (found.port > 0 && found.port < 65_536)).toBe(true);
        }
      }),
    );
  });
});
