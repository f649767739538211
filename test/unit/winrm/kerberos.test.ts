// The parts of Kerberos that need no KDC: settings, layout of tokens, what numbers mean. test/system/kerberos.test.ts has the rest.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kerberosFailure } from '../../../agent/winrm/kerberos-failure.ts';
import { kerberosCredentials } from '../../../agent/winrm/kerberos-session.ts';
import { joinWrapToken, splitWrapToken } from '../../../agent/winrm/kerberos-token.ts';
import { krb5Conf } from '../../../agent/winrm/krb5-conf.ts';
import { stripModule } from '../../../tools/strip-types.ts';
import { expectCode } from '../../support/expect-code.ts';

const REPO = join(import.meta.dirname, '../../..');

const REALM = { realm: 'CLINIC.EXAMPLE', kdcs: ['dc1.clinic.example', '10.0.0.5:88', '[fd00::5]:88'] };

describe('what MIT Kerberos is told', () => {
  it('names the KDCs of the target, TCP and AES, and resolves nothing by DNS', () => {
    const conf = krb5Conf(REALM, 'SRV-1.clinic.example').split('\n');
    expect(conf).toEqual(
      expect.arrayContaining([
        '  kdc = dc1.clinic.example',
        '  kdc = 10.0.0.5:88',
        '  kdc = [fd00::5]:88',
        ' dns_lookup_kdc = false',
        ' dns_canonicalize_hostname = false',
        ' udp_preference_limit = 1',
        ' srv-1.clinic.example = CLINIC.EXAMPLE',
      ]),
    );
    const [enctypes] = conf.filter((line) => line.includes('permitted_enctypes'));
    expect(
      enctypes
        ?.split('=')[1]
        ?.trim()
        .split(' ')
        .every((name) => name.startsWith('aes')),
    ).toBe(true);
  });

  it('looks KDCs up by DNS only where the target names none', () => {
    expect(krb5Conf({ ...REALM, kdcs: [] }, 'srv-1')).toContain(' dns_lookup_kdc = true');
  });

  it.each<[string, () => unknown]>([
    ['a realm with a line of its own', () => krb5Conf({ realm: 'A\n[plugins]', kdcs: [] }, 'h')],
    ['a realm that closes its section', () => krb5Conf({ realm: 'A }', kdcs: [] }, 'h')],
    ['an empty realm', () => krb5Conf({ realm: '', kdcs: [] }, 'h')],
    ['a KDC with a line of its own', () => krb5Conf({ realm: 'A', kdcs: ['dc\n kdc = evil'] }, 'h')],
    ['a KDC with a URL', () => krb5Conf({ realm: 'A', kdcs: ['https://proxy/KdcProxy'] }, 'h')],
    ['a host that is an IPv6 address', () => krb5Conf({ realm: 'A', kdcs: [] }, 'fd00::1')],
    ['a host with a line of its own', () => krb5Conf({ realm: 'A', kdcs: [] }, 'h\n x = Y')],
    ['a user with a realm of its own', () => kerberosCredentials({ ...REALM, user: 'a@EVIL', password: Buffer.of(1) })],
    ['a user of two parts', () => kerberosCredentials({ ...REALM, user: 'a/admin', password: Buffer.of(1) })],
    ['a user with a domain', () => kerberosCredentials({ ...REALM, user: 'CLINIC\\a', password: Buffer.of(1) })],
    ['no user', () => kerberosCredentials({ ...REALM, user: '', password: Buffer.of(1) })],
  ])('refuses %s', (_what, make) => {
    expectCode(make, 'winrm_kerberos_settings');
  });
});

/** A wrap token as gss_wrap makes it for AES: header, confounder, data, copy of the header, checksum. */
function wrapToken(plain: Buffer, checksumBytes: number): Buffer {
  const header = Buffer.alloc(16, 0xff);
  header.writeUInt16BE(0x0504, 0);
  header[2] = 0x02;
  header.writeUInt16BE(0, 4);
  header.writeUInt16BE(0, 6);
  const rest = Buffer.alloc(16 + checksumBytes, 0xee);
  return Buffer.concat([header, Buffer.alloc(16, 0xcc), plain, rest]);
}

describe('the layout of a sealed message', () => {
  it('keeps every byte: the signature takes what is not as long as the text, and the rotation can be undone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(12, 16, 24), (bytes, checksumBytes) => {
        const plain = Buffer.from(bytes);
        const token = wrapToken(plain, checksumBytes);
        const { signature, sealed } = splitWrapToken(token, plain.length);
        expect(sealed.length).toBe(plain.length);
        const joined = joinWrapToken(signature, sealed);
        const count = joined.readUInt16BE(6);
        const body = joined.subarray(16);
        const undone = Buffer.concat([body.subarray(count), body.subarray(0, count)]);
        expect(undone.equals(token.subarray(16))).toBe(true);
      }),
    );
  });

  it.each<[string, Buffer, number]>([
    ['is too short', wrapToken(Buffer.alloc(0), 12).subarray(0, 40), 0],
    ['is signed only', Buffer.concat([Buffer.from('0504000000000000', 'hex'), Buffer.alloc(100)]), 10],
    ['is of another kind', Buffer.concat([Buffer.from('0404020000000000', 'hex'), Buffer.alloc(100)]), 10],
    ['is rotated already', Buffer.concat([Buffer.from('050402ff0000001c', 'hex'), Buffer.alloc(100)]), 10],
    ['has no room for a trailer', wrapToken(Buffer.alloc(0), 12), 20],
  ])('refuses a token that %s', (_what, token, plainBytes) => {
    expectCode(() => splitWrapToken(token, plainBytes), 'winrm_seal_broken');
  });
});

describe('what a number of the library means', () => {
  const minor = (number: number): number => (-1_765_328_384 + number) >>> 0;
  const BAD_SECRET = ['winrm_logon_failed', 'winrm_account_locked', 'winrm_account_disabled', 'winrm_password_expired'];

  it('says something about the secret only at the logon', () => {
    for (let number = 0; number < 256; number++) {
      for (const step of ['name', 'context', 'wrap', 'unwrap', 'order']) {
        expect(BAD_SECRET).not.toContain(kerberosFailure(step, minor(number)).code);
      }
    }
    expect(kerberosFailure('logon', minor(24)).code).toBe('winrm_logon_failed');
  });

  it('tells the clock, the service and the KDC apart, and gives the number of what it does not know', () => {
    const codes = [37, 7, 156].map((number) => kerberosFailure('context', minor(number)).code);
    expect(codes).toEqual(['winrm_kerberos_clock', 'winrm_kerberos_service', 'winrm_kerberos_kdc']);
    const unknown = kerberosFailure('context', minor(60));
    expect([unknown.code, unknown.details['krb5_error']]).toEqual(['winrm_kerberos_failed', 60]);
    expect(kerberosFailure('logon', 39_756_032).details['krb5_error']).toBe(39_756_032);
  });
});

describe('the library in the package', () => {
  it('is named in what is built exactly as nix/package.nix replaces it', () => {
    const [, replaced] =
      /--replace-fail "('libgssapi[^"]+)"/.exec(readFileSync(join(REPO, 'nix/package.nix'), 'utf8')) ?? [];
    const built = stripModule(readFileSync(join(REPO, 'agent/winrm/gssapi.ts'), 'utf8'));
    expect(built.split(replaced!).length).toBe(2);
  });
});
