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
#region common-patch
# ISO 8601 in UTC, or null: COM, FILETIME and .NET each have their own date that means "never".
function Get-IsoTimeOrNull($Value) {
  if ($null -eq $Value -or ([datetime]$Value).Year -lt 1980) { return $null }
  Get-IsoTime ([datetime]$Value)
}

# How bad an update is: Microsoft's own rating, which is never translated; without one, its classification by GUID.
$securityUpdates = '0FA1201D-4330-4FA8-8AE9-B877473B6441'
$criticalUpdates = 'E6CF1350-C01B-414D-A61F-263D14D133B4'
$taskPath = '\ComplianceAgent\'
$taskName = 'ComplianceAgent-Patch'

function Get-Level($Update) {
  switch ([string]$Update.MsrcSeverity) {
    'Critical' { return 'critical' }
    'Important' { return 'important' }
    'Moderate' { return 'moderate' }
    'Low' { return 'low' }
  }
  $classes = @(foreach ($category in $Update.Categories) { ([string]$category.CategoryID).ToUpperInvariant() })
  if ($classes -contains $securityUpdates -or $classes -contains $criticalUpdates) { return 'important' }
  return 'none'
}

# The Windows Update Agent gives times in UTC without saying so.
function ConvertTo-UpdateTime($Value) {
  if ($null -eq $Value) { return $null }
  return Get-IsoTimeOrNull ([datetime]::SpecifyKind([datetime]$Value, [System.DateTimeKind]::Utc))
}

# From what the machine last learned, without asking anybody: an online search costs minutes of processor time.
function Get-MissingUpdates {
  $session = New-Object -ComObject Microsoft.Update.Session
  $searcher = $session.CreateUpdateSearcher()
  $searcher.Online = $false
  $found = $searcher.Search("IsInstalled=0 and Type='Software'")
  if (@(2, 3) -notcontains [int]$found.ResultCode) { throw (New-Object System.InvalidOperationException) }
  foreach ($update in $found.Updates) {
    [pscustomobject]@{
      Id             = ([string]$update.Identity.UpdateID).ToLowerInvariant()
      Level          = Get-Level $update
      PublishedAt    = ConvertTo-UpdateTime $update.LastDeploymentChangeTime
      Hidden         = [bool]$update.IsHidden
      WaitsForReboot = [bool]$update.RebootRequired
      Interactive    = [bool]$update.InstallationBehavior.CanRequestUserInput
      Licence        = -not [bool]$update.EulaAccepted
    }
  }
}

# Whose word counts here: a server of updates, a policy of Windows Update for Business, a device management, or nobody's.
function Get-UpdateManager {
  $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
  if ([int](Get-RegistryValue "$policy\AU" 'UseWUServer' $null) -eq 1 -and [string](Get-RegistryValue $policy 'WUServer' $null) -ne '') { return 'wsus' }
  foreach ($name in 'DeferQualityUpdates', 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'TargetReleaseVersion') {
    if ($null -ne (Get-RegistryValue $policy $name $null)) { return 'wufb' }
  }
  foreach ($name in 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'AllowAutoUpdate') {
    if ($null -ne (Get-RegistryValue 'HKLM:\SOFTWARE\Microsoft\PolicyManager\current\device\Update' $name $null)) { return 'mdm' }
  }
  return 'nobody'
}

# With a pattern in both, "none" is an answer; without one it is an error.
function Get-PatchTask {
  return @(Get-ScheduledTask -TaskName "$taskName*" -TaskPath "$taskPath*" | Select-Object -First 1)
}
#endregion

# A key without values gives nothing and is there all the same.
function Test-RegistryKey([string]$Path) {
  try { [void](Get-ItemProperty -LiteralPath $Path) }
  catch {
    if ([string]$_.CategoryInfo.Category -eq 'ObjectNotFound') { return $false }
    throw
  }
  $true
}

$machine = Get-HostPart

$updates = Read-Part 'updates' {
  [pscustomobject]@{
    All = @(Get-MissingUpdates | Select-Object -First ([int]$In.params.max_updates) | ForEach-Object {
        [ordered]@{
          level = $_.Level; published_at = $_.PublishedAt; hidden = $_.Hidden
          waits_for_reboot = $_.WaitsForReboot; interactive = ($_.Interactive -or $_.Licence)
        }
      })
  }
}
$list = $null
if ($null -ne $updates) { $list = [object[]]@($updates.All) }

$results = Read-Part 'last_search' {
  $automatic = (New-Object -ComObject Microsoft.Update.AutoUpdate).Results
  [ordered]@{
    search_at  = ConvertTo-UpdateTime $automatic.LastSearchSuccessDate
    install_at = ConvertTo-UpdateTime $automatic.LastInstallationSuccessDate
  }
}

# Three places, since each kind of installation leaves its own mark.
$reboot = Read-Part 'reboot' {
  [ordered]@{
    updates   = Test-RegistryKey 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    servicing = Test-RegistryKey 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
    files     = @(Get-RegistryValue 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager' 'PendingFileRenameOperations' $null | Where-Object { [string]$_ -ne '' }).Count -gt 0
    booted_at = Get-IsoTimeOrNull (Get-CimInstance -ClassName Win32_OperatingSystem).LastBootUpTime
  }
}

$manager = Read-Part 'managed' { Get-UpdateManager }

$task = Read-Part 'task' {
  $found = @(Get-PatchTask)
  if ($found.Count -eq 0) { 'none' } elseif ([string]$found[0].State -eq 'Running') { 'running' } else { 'left_behind' }
}

Write-Facts ([ordered]@{
    host = $machine; updates = $list; last = $results; reboot = $reboot; managed = $manager; task = $task
    unread = $Unread.ToArray()
  })
