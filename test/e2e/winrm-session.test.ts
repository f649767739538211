// Sessions with the lab's own WinRM server, which holds NTLM against MS-NLMP on its own: what a caller is promised.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { expectCodeAsync } from '../support/expect-code.ts';
import { echo, endpointOf, labSession, NTLM, PASSWORD, runOnce, SHORT, withServer } from '../support/winrm-lab.ts';

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('a WinRM session', () => {
  it('carries command, arguments and input there and output, errors and exit code back', async () => {
    await withServer({}, async (server) => {
      const args = ['-7', 'ä ö ü', 'C:\\Prüfung & <Daten>', "it's", '"quoted"'];
      const { session } = labSession(endpointOf(server));
      expect(await session.run(echo('日本語 😀', { command: 'exit', args }))).toEqual({
        exitCode: -7,
        stdout: Buffer.from('日本語 😀'),
        stderr: Buffer.from(args.join('\n')),
        truncated: false,
      });
      await session.close();
      expect(server.liveShells).toBe(0);
    });
  });

  it('shows nothing of command, input and output on the wire', async () => {
    await withServer({}, async (server) => {
      await runOnce(endpointOf(server), echo('a secret of the clinic'));
      expect(server.lastBody.toString('latin1')).toContain('--Encrypted Boundary');
      expect(server.lastBody.toString('latin1')).not.toContain('Envelope');
    });
  });

  it('uses one connection, one logon and one shell for many commands, one after the other', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server));
      const inputs = Array.from({ length: 12 }, (_, index) => `input ${index}`);
      const results = await Promise.all(inputs.map(async (input) => session.run(echo(input))));
      expect(results.map((result) => result.stdout.toString())).toEqual(inputs);
      await session.close();
      expect(server).toMatchObject({ connections: 1, logons: 1, liveShells: 0 });
      expect(server.operations).toMatchObject({ Create: 1, Command: 12, Signal: 12, Delete: 1 });
    });
  });

  it('replaces its shell after so many commands, and after it was idle for so long', async () => {
    await withServer({}, async (server) => {
      const busy = labSession(endpointOf(server), NTLM, { ...SHORT, shellCommands: 2 }).session;
      for (let count = 0; count < 5; count += 1) await busy.run(echo());
      await busy.close();
      expect(server.operations).toMatchObject({ Create: 3, Delete: 3 });
      const idle = labSession(endpointOf(server), NTLM, { ...SHORT, shellIdleMs: 0 }).session;
      await idle.run(echo());
      await idle.run(echo());
      await idle.close();
      expect(server.operations).toMatchObject({ Create: 5, Delete: 5 });
      expect(server.liveShells).toBe(0);
    });
  });

  it('carries a script of 450 kB in pieces, each within one envelope', async () => {
    await withServer({}, async (server) => {
      const script = randomBytes(450_000);
      const result = await runOnce(endpointOf(server), echo(script));
      expect(digest(result.stdout)).toBe(digest(script));
      expect(server.operations['Send']).toBe(5);
    });
  });

  it('refuses a command line that Windows or XML would not take, before it connects', async () => {
    const nowhere = endpointOf({ port: 1 });
    await expectCodeAsync(runOnce(nowhere, echo('', { args: ['x'.repeat(32_763)] })), 'winrm_command_invalid');
    for (const bad of ['bell \u0007', 'zero \0', 'half \ud83d']) {
      await expectCodeAsync(runOnce(nowhere, echo('', { args: [bad] })), 'winrm_command_invalid');
    }
  });

  it('brings back 16 MiB of output whole, and says so when there was more', async () => {
    const size = 16 * 1_048_576;
    const block = randomBytes(1_048_576);
    const whole = createHash('sha256');
    for (let count = 0; count < 16; count += 1) whole.update(block);
    const expected = whole.digest('hex');
    await withServer(
      {
        handler: async (run) => {
          for (let count = 0; count < 16; count += 1) run.write('stdout', block);
          if (run.command === 'more') run.write('stdout', 'x');
          return 0;
        },
      },
      async (server) => {
        const request = echo('', { outputCapBytes: size, timeoutMs: 50_000 });
        const exact = await runOnce(endpointOf(server), request);
        expect([exact.truncated, exact.exitCode, digest(exact.stdout)]).toEqual([false, 0, expected]);
        const more = await runOnce(endpointOf(server), { ...request, command: 'more' });
        expect([more.truncated, more.stdout.length, digest(more.stdout)]).toEqual([true, size, expected]);
        expect(server.liveShells).toBe(0);
      },
    );
  });

  it('ends a command that writes more than the cap, and has no exit code then', async () => {
    let endedBy = '';
    await withServer(
      {
        handler: async (run) => {
          run.write('stdout', 'x'.repeat(5_000));
          await new Promise((resolve) => run.signal.addEventListener('abort', resolve));
          endedBy = String(run.signal.reason);
          return 0;
        },
      },
      async (server) => {
        const { session } = labSession(endpointOf(server));
        const result = await session.run(echo('', { outputCapBytes: 4_096 }));
        expect(result).toMatchObject({ exitCode: null, truncated: true });
        expect(result.stdout.length).toBe(4_096);
        await session.close();
        expect([endedBy, server.liveShells]).toEqual(['terminate', 0]);
      },
    );
  });

  it('waits through output that comes one byte at a time, and through none at all', async () => {
    await withServer(
      {
        handler: async (run) => {
          for (const letter of 'slow') {
            run.write('stdout', letter);
            await new Promise((resolve) => setTimeout(resolve, 600));
          }
          return 3;
        },
      },
      async (server) => {
        const result = await runOnce(endpointOf(server));
        expect([result.stdout.toString(), result.exitCode]).toEqual(['slow', 3]);
        // Longer than OperationTimeout without output: "nothing yet" is no error.
        expect(server.operations['Receive']).toBeGreaterThan(5);
      },
    );
  });

  it('hands over binary output as it is', async () => {
    await withServer({}, async (server) => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
      expect((await runOnce(endpointOf(server), echo(bytes))).stdout.equals(bytes)).toBe(true);
    });
  });

  it('logs on with names and passwords that are not ASCII, as user@domain, and over IPv6', async () => {
    await withServer({ host: '::1' }, async (server) => {
      const six = { scheme: 'http', hostname: '::1', port: server.port } as const;
      const odd = {
        kind: 'ntlm',
        user: 'Jürgen Groß',
        domain: 'PRAXIS',
        password: Buffer.from('𝔎ennwort ✓ '),
      } as const;
      const upn = { kind: 'ntlm', user: 'agent@lab.test', domain: '', password: Buffer.from(PASSWORD) } as const;
      for (const credentials of [odd, upn]) {
        expect((await runOnce(six, echo('six'), credentials)).stdout.toString()).toBe('six');
      }
      expect(server.logons).toBe(2);
    });
  });

  it('says what went over the wire', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server));
      expect(session.traffic()).toEqual({ bytesSent: 0, bytesReceived: 0, requests: 0 });
      await session.run(echo(randomBytes(50_000)));
      await session.close();
      // Two legs of NTLM, Create, Command, Send, Receives, Signal, Delete.
      const { bytesSent, bytesReceived, requests } = session.traffic();
      expect(bytesSent).toBeGreaterThan(66_667);
      expect(bytesReceived).toBeGreaterThan(66_667);
      expect(requests).toBe(2 + Object.values(server.operations).reduce((sum, n) => sum + n, 0));
    });
  });

  it('ends an endless command at its deadline, with ctrl_c first, and leaves nothing behind', async () => {
    const seen: string[] = [];
    await withServer(
      {
        handler: async (run) => {
          run.signal.addEventListener('abort', () => seen.push(String(run.signal.reason)));
          return new Promise<number>(() => undefined);
        },
      },
      async (server) => {
        const { session } = labSession(endpointOf(server));
        await expectCodeAsync(session.run(echo('', { timeoutMs: 2_000 })), 'winrm_command_timeout');
        expect([seen, server.liveShells]).toEqual([['ctrl_c'], 0]);
        await session.close();
      },
    );
  });

  it('gives up a command when it is told to, also one that waits for its turn, and goes on with the next', async () => {
    await withServer({}, async (server) => {
      const { session } = labSession(endpointOf(server));
      const running = new AbortController();
      const waiting = new AbortController();
      const first = session.run(echo('', { command: 'forever', signal: running.signal }));
      const second = session.run(echo('second', { signal: waiting.signal }));
      const third = session.run(echo('third'));
      waiting.abort();
      await expectCodeAsync(second, 'winrm_cancelled');
      running.abort();
      await expectCodeAsync(first, 'winrm_cancelled');
      expect((await third).stdout.toString()).toBe('third');
      await session.close();
      expect(server.liveShells).toBe(0);
      await expectCodeAsync(session.run(echo()), 'winrm_cancelled');
    });
  });
});
