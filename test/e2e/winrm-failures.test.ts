// What goes wrong between the agent and a Windows host, one clear error each. The server is the lab's own.
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../agent/errors/codes.ts';
import type { CommandHandler } from '../lab/winrm-server/remote-command.ts';
import type { Mishap, WinRmServerOptions } from '../lab/winrm-server/start-winrm-server.ts';
import { startWinRmServer } from '../lab/winrm-server/start-winrm-server.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { startTcpServer } from '../support/tls-server.ts';
import { ECHO, echo, endpointOf, labSession, NTLM, runOnce, SHORT, USERS, withServer } from '../support/winrm-lab.ts';

/** For answers that never come. */
const QUICK = { ...SHORT, answerMs: 1_500, cleanupMs: 1_500 };

/** A mishap for one request of an operation. */
function once(operation: string, mishap: Mishap, nth = 1): NonNullable<WinRmServerOptions['mishap']> {
  return (name, count) => (name === operation && count === nth ? mishap : null);
}

async function expectMishap(mishap: NonNullable<WinRmServerOptions['mishap']>, code: ErrorCode): Promise<void> {
  await withServer({ mishap }, async (server) => {
    await expectCodeAsync(runOnce(endpointOf(server), echo('x')), code);
    expect(server.liveShells).toBe(0);
  });
}

describe('an answer that is not what it should be', () => {
  const bodies: readonly (readonly [string, ErrorCode, Mishap])[] = [
    [
      'unsealed',
      'winrm_answer_unsealed',
      { kind: 'body', change: () => Buffer.from('<s:Envelope/>'), contentType: 'application/soap+xml' },
    ],
    ['sealed, with one bit changed', 'winrm_seal_broken', { kind: 'body', change: flipped }],
    [
      'sealed, with a wrong length',
      'winrm_seal_broken',
      {
        kind: 'body',
        change: (body) =>
          Buffer.from(
            body.toString('latin1').replace(/Length=(\d+)/, (_, n: string) => `Length=${Number(n) + 1}`),
            'latin1',
          ),
      },
    ],
    ['cut off', 'winrm_seal_broken', { kind: 'body', change: (body) => body.subarray(0, body.length - 40) }],
    [
      'for another request',
      'winrm_answer_invalid',
      { kind: 'answer', change: (xml) => xml.replace(/RelatesTo>uuid:.{8}/, 'RelatesTo>uuid:00000000') },
    ],
    [
      'with a document type',
      'winrm_answer_invalid',
      { kind: 'answer', change: (xml) => `<!DOCTYPE a [<!ENTITY b "c">]>${xml}` },
    ],
    [
      'with an entity of its own',
      'winrm_answer_invalid',
      { kind: 'answer', change: (xml) => xml.replace('</s:Body>', '&b;</s:Body>') },
    ],
    ['no XML', 'winrm_answer_invalid', { kind: 'answer', change: () => 'oops' }],
    [
      'larger than was asked for',
      'winrm_answer_too_large',
      { kind: 'body', change: (body) => Buffer.concat([body, Buffer.alloc(2_000_000)]) },
    ],
    [
      'a web page',
      'winrm_not_wsman',
      { kind: 'status', status: 302, headers: { location: '/login', 'content-type': 'text/html' }, body: '<html>' },
    ],
    ['a page of a proxy', 'winrm_proxy_between', { kind: 'status', status: 502, headers: { via: '1.1 squid' } }],
    [
      'a demand of a proxy',
      'winrm_proxy_between',
      { kind: 'status', status: 407, headers: { 'proxy-authenticate': 'Basic' } },
    ],
  ];

  it.each(bodies)('is refused: %s', async (_, code, mishap) => {
    await withServer({ mishap: once('Create', mishap) }, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server)), code);
    });
  });

  it.each([
    ['output of another command', (xml: string) => xml.replace(/(<rsp:Stream [^>]*CommandId=")[^"]+/, '$1other')],
    ['output that is no base64', (xml: string) => xml.replace(/(<rsp:Stream [^>]*>)/, '$1*')],
    ['an end without an exit code', (xml: string) => xml.replace(/<rsp:ExitCode>.*<\/rsp:ExitCode>/, '')],
    ['output of a stream that was not asked for', (xml: string) => xml.replace('Name="stdout"', 'Name="pr"')],
  ])('is refused: %s', async (_, change) => {
    await expectMishap(once('Receive', { kind: 'answer', change }), 'winrm_answer_invalid');
  });

  it('is given up when it comes a byte at a time', async () => {
    await withServer(
      { mishap: (operation) => (operation === 'Create' ? { kind: 'drip', pauseMs: 50 } : null) },
      async (server) => {
        await expectCodeAsync(runOnce(endpointOf(server), echo(), NTLM, QUICK), 'winrm_no_answer');
      },
    );
  });

  it('is named where a port is no WinRM service at all', async () => {
    await withServer({}, async (server) => {
      await expectCodeAsync(runOnce({ ...endpointOf(server), path: '/other' }), 'winrm_not_wsman');
    });
    const ssh = await startTcpServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    await expectCodeAsync(runOnce(endpointOf(ssh)), 'winrm_not_wsman');
    await ssh.close();
  });
});

describe('a host that is not there', () => {
  it('is unreachable where nothing listens', async () => {
    await expectCodeAsync(runOnce(endpointOf({ port: 1 })), 'winrm_unreachable');
  });

  it('has a name that does not resolve', async () => {
    const endpoint = { scheme: 'http', hostname: 'no-such-host.invalid', port: 5985 } as const;
    await expectCodeAsync(runOnce(endpoint), 'winrm_name_unresolved');
  });

  it('takes the connection and never answers', async () => {
    const silent = await startTcpServer(() => undefined);
    await expectCodeAsync(runOnce(endpointOf(silent), echo(), NTLM, QUICK), 'winrm_no_answer');
    await silent.close();
  });
});

describe('a connection that is lost', () => {
  it.each([
    ['before the host acted', { kind: 'reset' }],
    ['after the host acted', { kind: 'reset_after' }],
    ['in an answer that never comes', { kind: 'hang' }],
    ['because the host forgot the session', { kind: 'forget_session' }],
    ['with 503', { kind: 'status', status: 503 }],
    ['with 401', { kind: 'status', status: 401, headers: { 'www-authenticate': 'Negotiate' } }],
  ] as const)('while waiting for output (%s) costs no byte of it', async (_, mishap) => {
    await withServer({ mishap: once('Receive', mishap) }, async (server) => {
      const result = await runOnce(
        endpointOf(server),
        echo('all of it', { command: 'exit', args: ['9'] }),
        NTLM,
        mishap.kind === 'hang' ? QUICK : SHORT,
      );
      expect([result.stdout.toString(), result.exitCode]).toEqual(['all of it', 9]);
      expect(server.liveShells).toBe(0);
    });
  });

  it('again right after it was opened anew, because the host forgot the session twice, is named', async () => {
    const forgetful = (operation: string, nth: number): Mishap | null =>
      operation === 'Command' && nth <= 2 ? { kind: 'status', status: 401 } : null;
    await withServer({ mishap: forgetful }, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server), echo()), 'winrm_session_lost');
      expect([server.operations['Command'], server.liveShells]).toEqual([2, 0]);
    });
  });

  it('five times while waiting for output is borne, six times is not', async () => {
    const lossy =
      (losses: number) =>
      (operation: string, nth: number): Mishap | null =>
        operation === 'Receive' && nth <= losses ? { kind: 'reset' } : null;
    await withServer({ mishap: lossy(5) }, async (server) => {
      expect((await runOnce(endpointOf(server), echo('borne'))).stdout.toString()).toBe('borne');
      expect(server.connections).toBe(6);
    });
    await expectMishap(lossy(6), 'winrm_connection_lost');
  });

  it.each(['Command', 'Send'])('at %s leaves open whether it ran: it is not started again', async (operation) => {
    await withServer({ mishap: once(operation, { kind: 'reset_after' }) }, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_connection_lost');
      expect(server.operations['Command']).toBe(1);
      expect(server.liveShells).toBe(0);
    });
  });

  it.each(['Command', 'Send'])('at %s starts a command again that may run twice', async (operation) => {
    await withServer({ mishap: once(operation, { kind: 'reset_after' }) }, async (server) => {
      const result = await runOnce(endpointOf(server), echo('twice', { rerunnable: true }));
      expect(result.stdout.toString()).toBe('twice');
      expect(server.operations['Command']).toBe(2);
      expect(server.liveShells).toBe(0);
    });
  });

  it.each(['Signal', 'Delete'])(
    'at %s does not spoil the result, and the shell is gone in the end',
    async (operation) => {
      await withServer({ mishap: once(operation, { kind: 'reset' }) }, async (server) => {
        expect((await runOnce(endpointOf(server), echo('kept'))).stdout.toString()).toBe('kept');
        expect(server.liveShells).toBe(0);
      });
    },
  );

  it('between two commands is opened anew without a word', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server));
      await session.run(echo());
      server.reset();
      expect((await session.run(echo('again'))).stdout.toString()).toBe('again');
      await session.close();
      expect(server).toMatchObject({ logons: 2, liveShells: 0 });
      expect(server.operations['Create']).toBe(1);
    });
  });
});

describe('a shell that is gone', () => {
  it('is replaced before a command, which then runs once', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server));
      await session.run(echo());
      server.dropShells();
      expect((await session.run(echo('once'))).stdout.toString()).toBe('once');
      await session.close();
      expect(server.liveShells).toBe(0);
    });
  });

  it.each([
    [true, 2],
    [undefined, 1],
  ])('in the middle of a command ends it, unless it may run twice (%s)', async (rerunnable, commands) => {
    await withServer({ mishap: once('Receive', { kind: 'drop_shell' }) }, async (server) => {
      const run = runOnce(endpointOf(server), echo('x', rerunnable === undefined ? {} : { rerunnable }));
      if (rerunnable === true) expect((await run).stdout.toString()).toBe('x');
      else await expectCodeAsync(run, 'winrm_shell_gone');
      expect(server.operations['Command']).toBe(commands);
      expect(server.liveShells).toBe(0);
    });
  });

  it('because the service was restarted in the middle of a command is named, not run again', async () => {
    let started = 0;
    let running: () => void = () => undefined;
    const isRunning = new Promise<void>((resolve) => (running = resolve));
    const handler: CommandHandler = async (run) => {
      started += 1;
      await run.stdin();
      running();
      return new Promise<number>(() => undefined);
    };
    const before = await startWinRmServer({ users: USERS, handler });
    const { session } = labSession(endpointOf(before), NTLM, { ...SHORT, retryPauseMs: 100 });
    const run = session.run(echo());
    await isRunning;
    await before.close();
    const after = await startWinRmServer({ users: USERS, handler: ECHO, port: before.port });
    await expectCodeAsync(run, 'winrm_shell_gone');
    await session.close();
    expect([started, after.operations['Command'] ?? 0, after.liveShells]).toEqual([1, 0, 0]);
    await after.close();
  });
});

describe('a quota that is used up', () => {
  const QUOTAS = [
    ['shells', 'Create', { subcode: 'w:QuotaLimit', code: 2_150_859_173 }, 'winrm_quota_shells'],
    ['operations', 'Command', { subcode: 'w:QuotaLimit', code: 2_150_859_174 }, 'winrm_quota_operations'],
    [
      'operations, as a WMI error',
      'Command',
      { subcode: 'w:InternalError', wmiCode: 0x803381a6 },
      'winrm_quota_operations',
    ],
    ['another one', 'Create', { subcode: 'w:QuotaLimit', code: 2_150_859_999 }, 'winrm_quota'],
  ] as const;

  it.each(QUOTAS)('is waited for, then named: %s', async (_, operation, fault, code) => {
    const always = (name: string): Mishap | null => (name === operation ? { kind: 'fault', fault } : null);
    await withServer({ mishap: always }, async (server) => {
      await expectCodeAsync(runOnce(endpointOf(server)), code);
      expect(server.operations[operation]).toBe(3);
      expect(server.liveShells).toBe(0);
    });
  });

  it.each(QUOTAS)('does not matter once it is free again: %s', async (_, operation, fault) => {
    const twice = (name: string, nth: number): Mishap | null =>
      name === operation && nth < 3 ? { kind: 'fault', fault } : null;
    await withServer({ mishap: twice }, async (server) => {
      expect((await runOnce(endpointOf(server), echo('free'))).stdout.toString()).toBe('free');
    });
  });
});

describe('another fault of the host', () => {
  it('is named with its code', async () => {
    const fault = { subcode: 'w:InternalError', code: 2_150_858_999 };
    await withServer({ mishap: once('Create', { kind: 'fault', fault }) }, async (server) => {
      const error = await expectCodeAsync(runOnce(endpointOf(server)), 'winrm_operation_failed');
      expect(error.details).toMatchObject({ operation: 'Create', fault_code: 2_150_858_999 });
    });
  });

  it('for a closed stdin ends the input, not the command', async () => {
    const fault = { subcode: 'w:InternalError', code: 0x800700e8 };
    const handler = async (): Promise<number> => 4;
    await withServer({ handler, mishap: once('Send', { kind: 'fault', fault }) }, async (server) => {
      expect((await runOnce(endpointOf(server), echo(Buffer.alloc(300_000)))).exitCode).toBe(4);
      expect(server.operations['Send']).toBe(1);
    });
  });

  it('during the clean-up is logged and does not spoil the result', async () => {
    const fault = { subcode: 'w:InternalError', code: 2_150_858_999 };
    await withServer({ mishap: once('Signal', { kind: 'fault', fault }) }, async (server) => {
      const { session, log } = labSession(endpointOf(server));
      expect((await session.run(echo('kept'))).stdout.toString()).toBe('kept');
      await session.close();
      expect(log.phrases()).toEqual(['winrm clean-up failed']);
      expect(server.liveShells).toBe(0);
    });
  });
});

function flipped(body: Buffer): Buffer {
  const changed = Buffer.from(body);
  const at = changed.length - 60;
  changed[at]! ^= 1;
  return changed;
}
