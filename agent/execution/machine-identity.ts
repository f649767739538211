// How a machine says who it is: a few lines before each script, in the same process, so that nothing is asked of one machine and
// done on another. Pure; what is made of the answer is known-machines.ts.

/**
 * Security identifier of an account database: `S-1-5-21-` and three sub-authorities (MS-DTYP 2.4.2.4; "SID Components",
 * learn.microsoft.com/windows/win32/secauthz/sid-components). A machine's own where it is a member or stands alone; on a domain
 * controller, which has none of its own, the domain's.
 */
const MACHINE_SID = /^S-1-5-21(?:-(?:0|[1-9]\d{0,9})){3}$/;
export const isMachineSid = (text: string): boolean => MACHINE_SID.test(text);

/** First line of what a guarded script prints. */
const WORD = 'machine_sid=';

/**
 * Accounts by RID, whose names are translated or changed: 500 is the machine's own administrator, who cannot be deleted, 502 the
 * domain's krbtgt, whose name is the same everywhere ("Well-known SIDs", MS-DTYP 2.4.2.4). ProductType 2 is a domain controller
 * (Win32_OperatingSystem). Of Win32_UserAccount the page asks for `LocalAccount=TRUE`, else a whole domain would be listed; a name
 * is looked up by LSA alone. Nothing that goes wrong here ends a script that nobody wants to tie to a machine.
 */
const READ = `
$sid = ''
try {
  $type = [int](Get-CimInstance -ClassName Win32_OperatingSystem -Property ProductType).ProductType
  if ($type -lt 1 -or $type -gt 3) { throw 'type' }
  $found = @(
    if ($type -eq 2) {
      [string](New-Object Security.Principal.NTAccount 'krbtgt').Translate([Security.Principal.SecurityIdentifier])
    } else {
      Get-CimInstance -ClassName Win32_UserAccount -Filter 'LocalAccount=TRUE' -Property SID | ForEach-Object { [string]$_.SID }
    }
  )
  $bases = @($found | Where-Object { $_ -match '^S-1-5-21-\\d+-\\d+-\\d+-50[02]$' } | ForEach-Object { $_ -replace '-\\d+$', '' } | Select-Object -Unique)
  if ($bases.Count -eq 1) { $sid = $bases[0] }
} catch { $sid = '' }
[Console]::Out.WriteLine("${WORD}$sid")
`.trim();

/**
 * `script` behind the question who the machine is. Where `expected` names a machine, the script is not even begun on another one,
 * nor where the machine does not say who it is.
 */
export function guardedScript(script: string, expected: string | null): string {
  if (expected !== null && !isMachineSid(expected)) throw new TypeError('no SID of a machine');
  const guard = expected === null ? '' : `if ($sid -cne '${expected}') { throw 'other_machine' }\n`;
  const own = Buffer.from(script, 'utf8').toString('base64');
  return `param([string]$InputJson)
${READ}
${guard}& ([scriptblock]::Create((New-Object Text.UTF8Encoding $false, $true).GetString([Convert]::FromBase64String('${own}')))) -InputJson $InputJson
`;
}

/** The parts of a guarded script; null for any other. For machines that are simulated. */
export function readGuardedScript(text: string): { readonly script: string; readonly expected: string | null } | null {
  const own = /FromBase64String\('([A-Za-z0-9+/=]*)'\)\)\)\) -InputJson \$InputJson\n$/.exec(text);
  if (own === null || !text.includes(READ)) return null;
  const expected = /\$sid -cne '([^']*)'/.exec(text)?.[1] ?? null;
  return { script: Buffer.from(own[1]!, 'base64').toString('utf8'), expected };
}

/** The line that a simulated machine prints; an empty one where it cannot say who it is. */
export const identityLine = (sid: string | null): string => `${WORD}${sid ?? ''}\r\n`;

/** What a machine said of itself. */
export type Said =
  | { readonly said: 'sid'; readonly sid: string }
  /** It tried and could not, or said something that is no such identifier, or two things. */
  | { readonly said: 'nothing' }
  /** The script did not come as far as to say anything. */
  | { readonly said: 'not_asked' };

const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);
/** Longer than any such line. */
const LINE_CHARS = 256;

/** Takes the answer off what a guarded script printed; `rest` is what the script itself printed. */
export function readIdentity(stdout: Buffer): { readonly answer: Said; readonly rest: Buffer } {
  const start = stdout.subarray(0, 3).equals(UTF8_BOM) ? 3 : 0;
  const end = stdout.subarray(start, start + LINE_CHARS).indexOf('\n');
  const line = end === -1 ? '' : stdout.toString('latin1', start, start + end).trimEnd();
  if (!line.startsWith(WORD)) return { answer: { said: 'not_asked' }, rest: stdout };
  const rest = stdout.subarray(start + end + 1);
  const sid = line.slice(WORD.length);
  // Whoever prints it a second time wants to be somebody else.
  const isAlone = !/^\s*machine_sid=/m.test(rest.toString('latin1'));
  return { answer: isAlone && isMachineSid(sid) ? { said: 'sid', sid } : { said: 'nothing' }, rest };
}
