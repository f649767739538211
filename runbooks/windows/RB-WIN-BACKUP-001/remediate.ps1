param([string]$InputJson)
#region common
# What every script begins with, after its param line. It runs in Windows PowerShell 5.1 and in PowerShell 7. Change it here
# and run `npx node tools/copy-common.ts`: a script stands alone, since its digest is what people signed.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# A clinic's server has better things to do.
try { [Diagnostics.Process]::GetCurrentProcess().PriorityClass = 'BelowNormal' } catch { $null = $_ }
$In = ConvertFrom-Json -InputObject $InputJson
$Unread = New-Object System.Collections.ArrayList

function Get-UsedCpuMs { [int][Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime.TotalMilliseconds }

# Why something could not be read: from the error's type, number or id, never from its text, which is in the machine's language.
function Get-ErrorReason($Record) {
  $id = [string]$Record.FullyQualifiedErrorId
  $reason = 'failed'
  if ($id -like 'CommandNotFoundException*') { $reason = 'missing' }
  elseif ($id -like 'PropertyNotFoundStrict*') { $reason = 'missing_property' }
  elseif ($id -like 'over_budget*') { $reason = 'over_budget' }
  elseif ([string]$Record.CategoryInfo.Category -eq 'PermissionDenied') { $reason = 'denied' }
  elseif ([string]$Record.CategoryInfo.Category -eq 'OperationTimeout') { $reason = 'timeout' }
  $inner = $Record.Exception
  # A .NET method called from a script wraps what it throws: the number that counts is the innermost one.
  while ($null -ne $inner.InnerException) { $inner = $inner.InnerException }
  $code = '0x{0:x8}' -f $inner.HResult
  if ($id -match '^HRESULT (0x[0-9a-fA-F]{8})') { $code = $Matches[1].ToLowerInvariant() }
  if ($inner -is [UnauthorizedAccessException] -or $inner -is [Security.SecurityException]) { $reason = 'denied' }
  if (@('0x80070005', '0x80041003') -contains $code) { $reason = 'denied' }
  # Invalid class and invalid namespace: the feature is not installed.
  if (@('0x80041010', '0x8004100e') -contains $code) { $reason = 'missing' }
  [ordered]@{ reason = $reason; code = $code }
}

# What the block returns (one object), or null and a line in $Unread. A finding on something unread is `unknown`.
function Read-Part([string]$Part, [scriptblock]$Block) {
  try {
    if ((Get-UsedCpuMs) -gt 1000 * [int]$In.params.budget_cpu_s) { throw 'over_budget' }
    & $Block
  } catch {
    $why = Get-ErrorReason $_
    [void]$Unread.Add([ordered]@{ part = $Part; reason = $why.reason; code = $why.code })
    $null
  }
}

# A value of the registry; the default where the key or the value is not there. Denied or unreadable throws.
function Get-RegistryValue([string]$Path, [string]$Name, $Default) {
  try { $item = Get-ItemProperty -LiteralPath $Path }
  catch {
    if ([string]$_.CategoryInfo.Category -eq 'ObjectNotFound') { return $Default }
    throw
  }
  # A key without values is nothing at all.
  if ($null -eq $item) { return $Default }
  $found = $item.PSObject.Properties[$Name]
  if ($null -eq $found) { return $Default }
  $found.Value
}

function Get-IsoTime([DateTime]$Time) {
  $Time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

# What the machine is. ProductType of Win32_OperatingSystem: 1 workstation, 2 domain controller, 3 server.
function Get-HostPart {
  Read-Part 'host' {
    $os = Get-CimInstance -ClassName Win32_OperatingSystem
    $roles = @{ 1 = 'workstation'; 2 = 'domain_controller'; 3 = 'member_server' }
    [ordered]@{
      role = $roles[[int]$os.ProductType]
      build = [int]$os.BuildNumber
      powershell = [int]$PSVersionTable.PSVersion.Major
      read_at = Get-IsoTime (Get-Date)
    }
  }
}

# One JSON document on one line, in ASCII: no code page on the way can change it.
function Write-Document([string]$Schema, $Facts) {
  $document = [ordered]@{ schema = $Schema; facts = $Facts; used = [ordered]@{ cpu_ms = Get-UsedCpuMs } }
  $json = ConvertTo-Json -InputObject $document -Depth 8 -Compress
  [regex]::Replace($json, '[^\x20-\x7e]', { param($found) '\u{0:x4}' -f [int][char]$found.Value })
}

function Write-Facts($Facts) { Write-Document 'compliance-agent/windows-facts/v1' $Facts }

# From and To: an integer, a boolean, null, or a lower-case name.
function New-Change([string]$What, $From, $To) { [ordered]@{ what = $What; from = $From; to = $To } }

# Status: changed, nothing_to_do, managed_elsewhere or started.
function Write-Actions([string]$Status, $Changes, [bool]$RebootRequired = $false) {
  $facts = [ordered]@{ status = $Status; reboot_required = $RebootRequired; changes = @($Changes) }
  Write-Document 'compliance-agent/windows-actions/v1' $facts
}
#endregion

# Starts the backup that is set up here and does not wait for it: whether it became one is for a later look to say.
$isPlan = [string]$In.phase -eq 'plan'
$product = [string]$In.params.product
$changes = New-Object System.Collections.ArrayList
# Objects, since a block cannot set a variable of its caller.
$running = New-Object System.Collections.ArrayList

# Young enough: another backup would prove nothing more. A date in the future is no proof.
function Test-Recent($Time) {
  if ($null -eq $Time) { return $false }
  $hours = ((Get-Date).ToUniversalTime() - ([datetime]$Time).ToUniversalTime()).TotalHours
  $hours -ge 0 -and $hours -le [int]$In.params.backup_hours
}

# A product that is not here is passed over; any other error ends the run.
function Invoke-Product([string]$Name, [scriptblock]$Start) {
  if ($product -ne 'any' -and $product -ne $Name) { return }
  try { & $Start } catch { if ((Get-ErrorReason $_).reason -ne 'missing') { throw } }
}

Invoke-Product 'windows_server_backup' {
  $policy = Get-WBPolicy
  if (@(Get-WBJob | Where-Object { [string]$_.JobState -eq 'Running' }).Count -gt 0) {
    [void]$running.Add('job')
  } elseif ($null -ne $policy -and -not (Test-Recent (Get-WBSummary).LastSuccessfulBackupTime)) {
    if (-not $isPlan) { [void](Start-WBBackup -Policy $policy -Async -Force) }
    [void]$changes.Add((New-Change 'windows_server_backup' 'idle' 'running'))
  }
}

Invoke-Product 'veeam' {
  foreach ($job in @(Get-VBRJob | Select-Object -First ([int]$In.params.history_jobs))) {
    # Only what somebody has put on a schedule.
    if ($null -eq $job.NextRun) { continue }
    if ([string]$job.LastState -ne 'Stopped') { [void]$running.Add('job'); continue }
    $good = @(Get-VBRSession -Job $job -Result Success | Where-Object { Test-Recent $_.EndTime })
    if ($good.Count -gt 0 -and [string]$job.LastResult -ne 'Failed') { continue }
    if (-not $isPlan) { [void](Start-VBRJob -Job $job -RunAsync) }
    [void]$changes.Add((New-Change 'veeam_job' 'idle' 'running'))
  }
}

# A backup that was started is not yet a backup: never "changed".
$status = 'nothing_to_do'
if ($running.Count -gt 0 -or $changes.Count -gt 0) { $status = 'started' }
if ($isPlan -and $changes.Count -gt 0) { $status = 'changed' }
Write-Actions $status $changes.ToArray() $false
