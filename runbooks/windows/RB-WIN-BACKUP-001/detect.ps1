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

# ISO 8601 in UTC, or null: COM, FILETIME and .NET each have their own date that means "never".
function Get-IsoTimeOrNull($Value) {
  if ($null -eq $Value -or ([datetime]$Value).Year -lt 1980) { return $null }
  Get-IsoTime ([datetime]$Value)
}

# Between the steps of a long part.
function Assert-Budget {
  if ((Get-UsedCpuMs) -gt 1000 * [int]$In.params.budget_cpu_s) { throw 'over_budget' }
}

# What Windows Server Backup and Veeam say of their last good backup, and what proves that something could be brought back.
$machine = Get-HostPart

# Null where the product is not here.
function Read-Product([string]$Part, [scriptblock]$Read) {
  try {
    Assert-Budget
    & $Read
  } catch {
    $reason = (Get-ErrorReason $_).reason
    if ($reason -eq 'missing') { return $null }
    [void]$Unread.Add([ordered]@{ part = $Part; reason = $reason; code = (Get-ErrorReason $_).code })
    return $null
  }
}

$wsb = Read-Product 'windows_server_backup' {
  $summary = Get-WBSummary
  $policy = Get-WBPolicy
  $jobs = @(Get-WBJob -Previous ([int]$In.params.history_jobs))
  $current = @(Get-WBJob)
  # A restore that ended well; one of the catalogue alone brings no data back.
  $restores = @($jobs | Where-Object {
      ([string]$_.JobType).EndsWith('Recovery') -and -not ([string]$_.JobType).StartsWith('Catalog') -and
      [string]$_.JobState -eq 'Completed' -and [int64]$_.PSObject.Properties['HResult'].Value -eq 0 } |
      ForEach-Object { Get-IsoTimeOrNull $_.EndTime } | Sort-Object -Descending)
  $sets = @()
  if ($null -ne $policy) {
    $target = @(Get-WBBackupTarget -Policy $policy) | Select-Object -First 1
    # From the place where the backups lie, not from the catalogue of this machine.
    if ($null -ne $target) { $sets = @(Get-WBBackupSet -BackupTarget $target) }
  }
  $newest = @($sets | ForEach-Object { Get-IsoTimeOrNull $_.BackupTime } | Sort-Object -Descending)
  [ordered]@{
    policy          = ($null -ne $policy)
    last_success_at = Get-IsoTimeOrNull $summary.LastSuccessfulBackupTime
    # Signed in some versions and unsigned in others.
    last_result     = '0x{0:X8}' -f ([int64]$summary.LastBackupResultHR -band 4294967295)
    versions        = [int]$summary.NumberOfVersions
    next_at         = Get-IsoTimeOrNull $summary.NextBackupTime
    running         = @($current | Where-Object { [string]$_.JobState -eq 'Running' }).Count -gt 0
    stored_sets     = $sets.Count
    stored_newest   = $(if ($newest.Count -gt 0) { $newest[0] } else { $null })
    restored_at     = $(if ($restores.Count -gt 0) { $restores[0] } else { $null })
  }
}

$veeam = Read-Product 'veeam' {
  $jobs = @(Get-VBRJob | Select-Object -First ([int]$In.params.history_jobs))
  $entries = New-Object System.Collections.ArrayList
  foreach ($job in $jobs) {
    Assert-Budget
    $last = @(Get-VBRSession -Job $job -Last) | Select-Object -First 1
    $good = @(Get-VBRSession -Job $job -Result Success | ForEach-Object { Get-IsoTimeOrNull $_.EndTime } | Sort-Object -Descending)
    [void]$entries.Add([ordered]@{
        scheduled       = ($null -ne $job.NextRun)
        last_result     = $(if ($null -eq $last) { 'none' } else { ([string]$last.Result).ToLowerInvariant() })
        running         = ($null -ne $last -and @('Starting', 'Working', 'Postprocessing', 'WaitingTape', 'WaitingRepository', 'Pending') -contains [string]$last.State)
        last_success_at = $(if ($good.Count -gt 0) { $good[0] } else { $null })
      })
  }
  $points = @(Get-VBRApplicationRestorePoint)
  $proofs = @()
  # SureBackup starts what was backed up; editions without it have no such command.
  try {
    $proofs = @(Get-VSBSession | Where-Object { [string]$_.Result -eq 'Success' } |
        ForEach-Object { Get-IsoTimeOrNull $_.EndTime } | Sort-Object -Descending)
  } catch { if ((Get-ErrorReason $_).reason -ne 'missing') { throw } }
  [ordered]@{
    jobs             = [object[]]$entries.ToArray()
    corrupted_points = @($points | Where-Object { [bool]$_.IsCorrupted }).Count
    restored_at      = $(if ($proofs.Count -gt 0) { $proofs[0] } else { $null })
  }
}

Write-Facts ([ordered]@{ host = $machine; wsb = $wsb; veeam = $veeam; unread = $Unread.ToArray() })
