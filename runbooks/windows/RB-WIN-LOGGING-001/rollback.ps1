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
#region common-logging
$SnapshotFolder = Join-Path $env:ProgramFiles 'ComplianceAgent'
$SnapshotFile = Join-Path $SnapshotFolder 'audit-before.csv'
$LsaKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
# Logs and the param that says how large each has to be allowed to grow.
$Logs = [ordered]@{ Security = 'security_min_mib'; System = 'system_min_mib'; Application = 'application_min_mib' }
# One subcategory in `auditpol /backup`: the GUID in braces and, last, 0 none, 1 success, 2 failure, 3 both. The names between
# are in the machine's language, and so are the headings.
$AuditLine = '^[^,]*,([^,]*),.*\{([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})\},.*?,(\d+)\s*$'

# What is audited for everybody, by subcategory. Rows of one user begin with a SID and are passed over.
function Get-AuditPolicy {
  $file = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid().ToString() + '.csv')
  try {
    [void](& auditpol.exe /backup "/file:$file")
    if ($LASTEXITCODE -ne 0) { throw "auditpol_$LASTEXITCODE" }
    # GUIDs and digits are the same in every encoding, once the zero bytes of UTF-16 are gone.
    $text = [Text.Encoding]::ASCII.GetString([byte[]]@([IO.File]::ReadAllBytes($file) | Where-Object { $_ -ne 0 }))
  } finally { if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file } }
  foreach ($line in ($text -split "`r?`n")) {
    if ($line -notmatch $AuditLine -or $Matches[1] -like 'S-1-*') { continue }
    [ordered]@{ id = $Matches[2].ToUpperInvariant(); value = [int]$Matches[3] -band 3 }
  }
}

# Subcategories that have to be audited: GUID.VALUE of the params, those of domain controllers added on one.
function Get-WantedAudit([string]$Role) {
  $given = @($In.params.audit)
  if ($Role -eq 'domain_controller') { $given += @($In.params.audit_domain_controller) }
  foreach ($item in $given) {
    if ([string]$item -notmatch '^([0-9A-Fa-f-]{36})\.([123])$') { throw 'param_audit' }
    [ordered]@{ id = $Matches[1].ToUpperInvariant(); value = [int]$Matches[2] }
  }
}

# Mode: Circular overwrites the oldest, AutoBackup keeps a file, Retain stops when full.
function Get-Logs {
  foreach ($name in $Logs.Keys) {
    $log = Get-WinEvent -ListLog $name
    $policy = Get-RegistryValue "HKLM:\SOFTWARE\Policies\Microsoft\Windows\EventLog\$name" 'MaxSize' $null
    $managed = $null
    # The policy counts in KiB.
    if ($null -ne $policy) { $managed = [int][Math]::Floor([long]$policy / 1024) }
    [ordered]@{
      name = $name.ToLowerInvariant()
      enabled = [bool]$log.IsEnabled
      mode = [string]$log.LogMode
      max_mib = [int][Math]::Floor([long]$log.MaximumSizeInBytes / 1048576)
      policy_mib = $managed
    }
  }
}

# Times at which a log was emptied: 1102 in Security, 104 in System (there for any other log). Bounded by time and number.
function Get-Cleared([string]$Log, [int]$Id) {
  $since = (Get-Date).AddDays(-[int]$In.params.cleared_days)
  try { @(Get-WinEvent -FilterHashtable @{ LogName = $Log; Id = $Id; StartTime = $since } -MaxEvents 50 | ForEach-Object { Get-IsoTime $_.TimeCreated }) }
  catch { if ([string]$_.FullyQualifiedErrorId -like 'NoMatchingEventsFound*') { @() } else { throw } }
}

function Get-AuditDrift($Policy, $Wanted) {
  $is = @{ }
  foreach ($item in @($Policy)) { $is[$item.id] = $item.value }
  foreach ($item in @($Wanted)) {
    # Every supported Windows has every subcategory: one that is not told was not read.
    if (-not $is.ContainsKey($item.id)) { throw 'subcategory_missing' }
    $to = $is[$item.id] -bor $item.value
    if ($to -ne $is[$item.id]) { [ordered]@{ id = $item.id; from = $is[$item.id]; to = $to } }
  }
}
#endregion
# The audit policy from the file that remediate wrote, sizes and the switch from what detect saw.
if (-not (Test-Path -LiteralPath $SnapshotFile)) { throw 'snapshot_missing' }
[void](& auditpol.exe /restore "/file:$SnapshotFile")
if ($LASTEXITCODE -ne 0) { throw "auditpol_$LASTEXITCODE" }
$changes = @(
  New-Change 'audit_policy_restored' $false $true
  foreach ($before in $In.snapshot.logs.list) {
    $now = @(Get-Logs | Where-Object { $_.name -eq $before.name })[0]
    if ($now.max_mib -eq [int]$before.max_mib) { continue }
    [void](& wevtutil.exe set-log $before.name "/maxsize:$([long]$before.max_mib * 1048576)")
    if ($LASTEXITCODE -ne 0) { throw "wevtutil_$LASTEXITCODE" }
    New-Change "$($before.name)_max_mib" $now.max_mib ([int]$before.max_mib)
  }
)
if (-not [bool]$In.snapshot.audit.subcategories_count) {
  Set-ItemProperty -LiteralPath $LsaKey -Name SCENoApplyLegacyAuditPolicy -Value 0 -Type DWord
  $changes += @(New-Change 'subcategories_count' $true $false)
}
Remove-Item -LiteralPath $SnapshotFile
Write-Actions 'changed' $changes
