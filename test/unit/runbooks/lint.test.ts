import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { windowsScripts, withSharedParts } from '../../../tools/copy-common.ts';
import { lintPowerShell } from '../../../tools/powershell-lint.ts';

const BEGIN = withSharedParts('param([string]$InputJson)\n#region common\n#endregion\n');
const mistakesOf = async (code: string) => (await lintPowerShell(BEGIN + code)).join('\n');

describe('the lint of PowerShell scripts', () => {
  it('reads every script of every runbook as Windows PowerShell 5.1 does, and finds nothing to object to', async () => {
    const scripts = windowsScripts();
    expect(scripts.length).toBeGreaterThan(10);
    const mistakes: string[] = [];
    for (const path of scripts) {
      for (const mistake of await lintPowerShell(readFileSync(path, 'utf8'))) {
        mistakes.push(`${relative(process.cwd(), path)}: ${mistake}`);
      }
    }
    expect(mistakes).toEqual([]);
  });

  it('finds nothing in a script that keeps the rules', async () => {
    expect(await mistakesOf("$x = Read-Part 'a' { @(Get-Item 'b')[0].Length }\nWrite-Facts @{ a = $x }\n")).toBe('');
  });

  it.each([
    ['the null-coalescing operator', '$a = $b ?? 1', 'does not read this'],
    ['the ternary operator', '$a = $b ? 1 : 2', 'does not read this'],
    ['a chain of pipelines', 'Get-Item a && Get-Item b', 'does not know &&'],
    ['a null-conditional member', '$a = ${b}?.Length', 'does not read this'],
    ['a null-conditional member without braces', '$a = $b?.Length', 'does not read this'],
    ['a cmdlet that 5.1 lacks', '$a = Get-Uptime', '5.1 has no get-uptime'],
    ['a cmdlet that 7 lacks', '$a = Get-WmiObject Win32_Service', 'PowerShell 7 has no get-wmiobject'],
    ['parallel loops', '1..3 | ForEach-Object -Parallel { $_ }', '-parallel'],
    ['hashtables of JSON', '$a = ConvertFrom-Json -InputObject $b -AsHashtable', '-ashashtable'],
    ['JSON of its own', '$a = ConvertTo-Json -InputObject $b -Depth 8', 'Write-Facts'],
    ['JSON from a pipeline', '$a = $b | ConvertFrom-Json', '-InputObject'],
    ['a default encoding', "$a = Get-Content -LiteralPath 'x'", 'says its encoding'],
    ['an encoding that 5.1 lacks', "Set-Content -LiteralPath 'x' -Value 1 -Encoding utf8NoBOM", 'knows no encoding'],
    ['a redirection into a file', 'Get-Item a > b.txt', 'redirection'],
    ['text that becomes code', 'Invoke-Expression $a', 'never becomes code'],
    ['the alias for that', 'iex $a', 'never becomes code'],
    ['the text of an error', 'try { Get-Item a } catch { $_.Exception.Message }', "the machine's language"],
    [
      'the number of a wrapped error',
      'try { [Convert]::ToInt32(1) } catch { $_.Exception.HResult }',
      'Get-ErrorReason',
    ],
    ['a name for people', '$a = (Get-Item a).DisplayName', "the machine's language"],
    ['text for people', 'Get-Item a | Format-Table', 'text for people'],
    ['a question to people', '$a = Read-Host', 'text for people'],
    ['a program that nobody vouched for', '$a = & net1.exe accounts', "the machine's language"],
    ['net', '$a = net accounts', "the machine's language"],
    ['auditpol in words', '$a = & auditpol.exe /get /category:*', 'use /backup'],
    ['a variable that 5.1 lacks', 'if ($IsWindows) { 1 }', '5.1 has no $iswindows'],
    ['a member that 5.1 lacks', '$a = [Convert]::ToHexString($b)', '.NET Framework'],
    ['letters beyond ASCII', "$a = 'Grüße'", 'is ASCII'],
  ])('names %s', async (_what, code, sentence) => {
    expect(await mistakesOf(`${code}\n`)).toContain(sentence);
  });

  it('names a script without strict mode and one whose common part was changed', async () => {
    expect((await lintPowerShell('Get-Item a\n')).join()).toContain('which sets strict mode');
    const changed = BEGIN.replace('Set-StrictMode -Version Latest', 'Set-StrictMode -Off');
    expect((await lintPowerShell(changed)).join()).toContain('a shared part is not the one');
  });
});
