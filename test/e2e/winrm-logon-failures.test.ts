// A logon at a Windows host that does not come about, one clear error each. The server is the lab's own.
import { describe, expect, it } from 'vitest';
import type { Credentials } from '../../agent/winrm/security-context.ts';
import type { Mishap, WinRmServer, WinRmServerOptions } from '../lab/winrm-server/start-winrm-server.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startTcpServer } from '../support/tls-server.ts';
import { echo, endpointOf, labSession, runOnce, USERS, withServer } from '../support/winrm-lab.ts';

const WRONG: Credentials = { kind: 'ntlm', user: 'agent', domain: 'LAB', password: Buffer.from('wrong') };

/** A mishap for one request of an operation. */
function once(operation: string, mishap: Mishap, nth = 1): NonNullable<WinRmServerOptions['mishap']> {
  return (name, count) => (name === operation && count === nth ? mishap : null);
}

describe('a logon that is refused', () => {
  it('names a wrong password, and tries it once only, however often it is called', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server), WRONG);
      for (let tries = 0; tries < 3; tries += 1) await expectCodeAsync(session.run(echo()), 'winrm_logon_failed');
      await session.close();
      expect(server).toMatchObject({ refusedLogons: 1, lastRefusal: 'wrong password' });
    });
  });

  it('does not try a password again that was changed while a command ran', async () => {
    const users = [{ ...USERS[0]! }];
    let server: WinRmServer;
    const mishap = (operation: string): Mishap | null => {
      if (operation !== 'Receive') return null;
      users[0]!.password = 'changed meanwhile';
      return { kind: 'reset' };
    };
    await withServer({ users, mishap }, async (started) => {
      server = started;
      await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_logon_failed');
      expect(server.refusedLogons).toBe(1);
    });
  });

  it('says that only Basic is offered, and never sends it without TLS', async () => {
    await withServer({ offer: ['Basic realm="WSMAN"'] }, async (server) => {
      const error = await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_auth_not_offered');
      expect(error.message).toContain('Basic');
      expect(server.refusedLogons).toBe(0);
      const basic = { kind: 'basic_tls', user: 'agent', password: Buffer.from('x') } as const;
      expect(() => labSession(endpointOf(server), basic)).toThrow(
        expect.objectContaining({ code: 'winrm_basic_without_tls' }),
      );
    });
  });

  it.each([
    ['extended session security', 0x00080000],
    ['128 bits', 0x20000000],
    ['sealing', 0x00000020],
    ['signing', 0x00000010],
    ['key exchange', 0x40000000],
    ['target info', 0x00800000],
    ['Unicode', 0x00000001],
  ])('does not answer a challenge without %s', async (words, withholdFlags) => {
    await withServer({ withholdFlags }, async (server) => {
      const error = await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_challenge_weak');
      expect(error.message).toContain(words);
      expect([server.logons, server.refusedLogons]).toEqual([0, 0]);
    });
  });

  it('does not answer a challenge whose target info is empty', async () => {
    await withServer({ withholdTargetInfo: true }, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_challenge_weak');
      expect(server.refusedLogons).toBe(0);
    });
  });

  it.each([
    ['a locked account', 1909, 'winrm_account_locked'],
    ['a disabled account', 1331, 'winrm_account_disabled'],
    ['an expired account', 0x80070701, 'winrm_account_disabled'],
    ['an expired password', 1330, 'winrm_password_expired'],
    ['a password that must be changed', 0x80070773, 'winrm_password_expired'],
    ['a wrong password', 0x8007052e, 'winrm_logon_failed'],
    ['a user who may not use WinRM', 5, 'winrm_access_denied'],
    ['a user without the right to log on over the network', 1385, 'winrm_access_denied'],
  ] as const)('names %s where the host says so in a fault', async (_, fault, code) => {
    await withServer(
      { mishap: once('Create', { kind: 'fault', fault: { subcode: 'w:InternalError', code: fault } }) },
      async (server) => {
        await expectCodeAsync(runOnce(endpointOf(server)), code);
        expect(server.operations).toEqual({ Create: 1 });
      },
    );
  });
});

describe('a logon that the host ends on its own terms', () => {
  it.each([
    [
      'says that it is done after the first token',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'winrm_answer_invalid',
    ],
    [
      'sends a challenge that is none',
      'HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate QUJD\r\nContent-Length: 0\r\n\r\n',
      'winrm_answer_invalid',
    ],
    [
      'offers Negotiate and never goes on with it',
      'HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n',
      'winrm_auth_not_offered',
    ],
    [
      'stands behind a proxy that says so',
      'HTTP/1.1 401 No\r\nVia: 1.1 proxy\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n',
      'winrm_proxy_between',
    ],
    ['forbids the address', 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n', 'winrm_access_denied'],
  ] as const)('is no session: it %s', async (_, answer, code) => {
    const host = await startTcpServer((socket) => socket.on('data', () => socket.write(answer)));
    await expectCodeAsync(runOnce(endpointOf(host)), code);
    await host.close();
  });
});
