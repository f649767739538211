// How a script gets to a Windows machine: a small program on the command line reads it, and its input, from standard input.
// Nothing of a script or its parameters stands on a command line, where process auditing would write it down. The program also
// holds the script to its processor time.

/** Windows PowerShell 5.1 is part of every supported Windows; PowerShell 7 takes the same arguments. */
export const POWERSHELL = 'powershell.exe';

/** Exit code of a process that used more processor time than it may; nothing of Windows or PowerShell ends with it. */
export const OVER_CPU_EXIT = 201;
/** Before the milliseconds that it had used by then, on standard error. */
export const OVER_CPU_WORD = 'script_over_budget cpu_ms=';
/** Between two looks of the watchdog; a script may use so much more than its budget for each core that it keeps busy. */
const WATCH_MS = 250;

/**
 * Runs beside the script, in a runspace of its own without any command: a script that never comes back to PowerShell is ended
 * all the same. What the process used to start counts too. Programs that the script starts have their own processor time. It is
 * ended before the process ends: PowerShell fails where it closes a runspace whose pipeline is just ending.
 */
const WATCHDOG = [
  'param($done, $limit)',
  `while (-not $done.WaitOne(${WATCH_MS})) {`,
  '$used = [long][Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime.TotalMilliseconds;',
  `if ($used -gt $limit) { [Console]::Error.WriteLine("${OVER_CPU_WORD}$used"); [Environment]::Exit(${OVER_CPU_EXIT}) }`,
  '}',
].join(' ');

/**
 * Runs on the target. `$input` holds what comes on standard input, line by line, until its end. What is not base64 (a byte
 * order mark of a console code page) is dropped before decoding. The script runs in a scope of its own; its lines are
 * written without PowerShell's formatter, which may break them at the width of a console. What it throws is told as the
 * error's id, never its message, since that is in the machine's language and may hold anybody's data.
 */
const PROGRAM = `
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try {
  $given = @($input | ForEach-Object { ([string]$_) -replace '[^A-Za-z0-9+/=]', '' } | Where-Object { $_ })
  if ($given.Count -ne 3) { throw 'input' }
  $text = @($given | ForEach-Object { (New-Object Text.UTF8Encoding $false, $true).GetString([Convert]::FromBase64String($_)) })
  $done = New-Object Threading.ManualResetEvent $false
  $state = [Management.Automation.Runspaces.InitialSessionState]::Create()
  $state.LanguageMode = 'FullLanguage'
  $watchdog = [PowerShell]::Create()
  $watchdog.Runspace = [RunspaceFactory]::CreateRunspace($state)
  $watchdog.Runspace.Open()
  [void]$watchdog.AddScript('${WATCHDOG}').AddArgument($done).AddArgument([long]$text[2])
  $watching = $watchdog.BeginInvoke()
  try { $lines = @(& ([scriptblock]::Create($text[0])) -InputJson $text[1]) } finally {
    [void]$done.Set()
    [void]$watchdog.EndInvoke($watching)
    $watchdog.Runspace.Close()
  }
  foreach ($line in $lines) { [Console]::Out.WriteLine([string]$line) }
  exit 0
} catch {
  [Console]::Error.WriteLine(('script_error id={0} hresult=0x{1:x8} line={2}' -f $_.FullyQualifiedErrorId, $_.Exception.HResult, $_.InvocationInfo.ScriptLineNumber))
  exit 1
}
`
  .replaceAll(/\n\s*/g, '\n')
  .trim();

/** The program's text, for whoever has to run it beside other things (the lab). */
export const BOOTSTRAP = PROGRAM;

/** `text` as `-EncodedCommand` takes it: base64 of UTF-16LE. */
export function encodedCommand(text: string): string {
  return Buffer.from(text, 'utf16le').toString('base64');
}

/**
 * Arguments of {@link POWERSHELL}. The execution policy is asked for because on a workstation's default even Windows' own
 * script modules do not load; a policy set by the domain stays in force. Fits the 8,191 characters of a `cmd.exe` line.
 */
export function bootstrapArguments(): string[] {
  return [
    '-NoLogo',
    '-NoProfile',
    '-NonInteractive',
    '-ExecutionPolicy',
    'RemoteSigned',
    '-EncodedCommand',
    encodedCommand(PROGRAM),
  ];
}

/** Standard input of one run: the script, its input and the milliseconds of processor time that it may use, base64 of UTF-8, one line each. */
export function bootstrapInput(script: string, params: unknown, cpuMs: number): Buffer {
  const line = (text: string) => `${Buffer.from(text, 'utf8').toString('base64')}\n`;
  return Buffer.from(line(script) + line(JSON.stringify(params)) + line(String(cpuMs)), 'ascii');
}
