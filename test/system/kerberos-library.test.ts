// A machine without MIT's Kerberos library: the file is covered by an empty one in a mount namespace of the test's own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKOUT } from '../support/nspawn.ts';

const LIBRARY = spawnSync('sh', ['-c', "ldconfig -p | sed -n 's/.*libgssapi_krb5.so.2 .*=> //p' | head -n 1"], {
  encoding: 'utf8',
}).stdout.trim();
const SCRIPT = `
  const { kerberosCredentials } = await import(process.argv[1]);
  const logon = { user: 'agent', realm: 'LAB.TEST', kdcs: ['127.0.0.1:1'], password: Buffer.from('x') };
  const context = kerberosCredentials(logon).open({ hostname: 'srv.lab.test', channelBinding: null });
  await context.step(null).catch((error) => console.log(error.code));
  context.close();`;

function codeOfLogon(cover: string): string {
  const session = join(CHECKOUT, 'agent/winrm/kerberos-session.ts');
  const argv = ['-m', 'sh', '-c', `${cover} && exec "$@"`, 'sh', process.execPath];
  const { stdout, stderr } = spawnSync('unshare', [...argv, '--input-type=module', '-e', SCRIPT, session], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout.trim() || stderr;
}

it('a Kerberos logon says that the library is missing, and not that the secret or the KDC is bad', (context) => {
  context.skip(process.getuid?.() !== 0, 'needs root');
  context.skip(LIBRARY === '', 'the Kerberos library is not installed');
  expect(codeOfLogon('true')).toBe('winrm_kerberos_kdc');
  expect(codeOfLogon(`mount --bind /dev/null "$(readlink -f ${LIBRARY})"`)).toBe('winrm_kerberos_library');
});
