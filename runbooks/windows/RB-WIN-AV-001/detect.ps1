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
#region common-av
$PolicyKey = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender'
# The cmdlets' own number for "the service does not run".
$ServiceStopped = '0x800106ba'

# Exclusions that leave next to nothing to look at: a whole drive, everything, Windows, all users, programs as such.
function Test-BroadExclusion([string]$Kind, [string]$Value) {
  $plain = $Value.Trim().TrimEnd('\', '*', '.').ToLowerInvariant()
  if ($Kind -eq 'extension') { return @('', 'exe', 'dll', 'com', 'scr', 'ps1', 'bat', 'cmd', 'vbs', 'js', 'msi') -contains $plain.TrimStart('.') }
  $places = @('', 'c:\windows', 'c:\windows\system32', 'c:\users', 'c:\program files', 'c:\program files (x86)', 'c:\programdata',
    '%windir%', '%systemroot%', '%systemdrive%', '%userprofile%', '%temp%', '%programfiles%', '%programdata%')
  $plain -match '^[a-z]:$' -or $places -contains $plain
}

# Counts only: paths and names say too much about a practice. Who may not see exclusions gets a remark in their place.
function Get-Exclusions {
  $preferences = Get-MpPreference
  $counts = [ordered]@{ paths = 0; extensions = 0; processes = 0; broad = 0 }
  $kinds = [ordered]@{ path = @($preferences.ExclusionPath); extension = @($preferences.ExclusionExtension); process = @($preferences.ExclusionProcess) }
  $names = @{ path = 'paths'; extension = 'extensions'; process = 'processes' }
  foreach ($kind in $kinds.Keys) {
    foreach ($value in @($kinds[$kind] | Where-Object { $null -ne $_ })) {
      if ([string]$value -like 'N/A*') { throw 'exclusions_hidden' }
      $counts[$names[$kind]] += 1
      if (Test-BroadExclusion $kind ([string]$value)) { $counts.broad += 1 }
    }
  }
  $counts
}

function Get-Defender {
  $none = [ordered]@{ state = 'absent'; status = $null; exclusions = $null }
  try { $status = Get-MpComputerStatus }
  catch {
    $why = Get-ErrorReason $_
    if ($why.reason -eq 'missing') { return $none }
    if ($why.code -eq $ServiceStopped) { $none.state = 'stopped'; return $none }
    throw
  }
  $modes = @{ 'Normal' = 'normal'; 'Passive Mode' = 'passive'; 'SxS Passive Mode' = 'passive'; 'Passive' = 'passive'; 'EDR Block Mode' = 'edr_block'; 'Not running' = 'not_running' }
  $mode = $modes[[string]$status.AMRunningMode]
  if ($null -eq $mode) { $mode = 'other' }
  $signatures = $null
  if ($null -ne $status.AntivirusSignatureLastUpdated) { $signatures = Get-IsoTime $status.AntivirusSignatureLastUpdated }
  $none.state = 'running'
  $none.status = [ordered]@{
    mode = $mode
    antivirus = [bool]($status.AMServiceEnabled -and $status.AntivirusEnabled)
    realtime = [bool]($status.RealTimeProtectionEnabled -and $status.OnAccessProtectionEnabled)
    behavior = [bool]$status.BehaviorMonitorEnabled
    downloads = [bool]$status.IoavProtectionEnabled
    tamper = [bool]$status.IsTamperProtected
    signatures_at = $signatures
  }
  $none.exclusions = Get-Exclusions
  $none
}

# What the Security Center of a workstation lists beside Defender; servers have none.
function Get-SecurityCenter($Machine) {
  if ($Machine.role -ne 'workstation') { return $null }
  $list = @(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName AntiVirusProduct | ForEach-Object {
      $state = [long]$_.productState
      # Bits 12-15: 1 on. Bits 4-7: 0 up to date. Defender's own entry is judged by its cmdlets.
      if ([string]$_.instanceGuid -ne '{D68DDC3A-831F-4fae-9E44-DA132C1ACF46}') {
        [ordered]@{ on = (($state -band 0xF000) -eq 0x1000); up_to_date = (($state -band 0xF0) -eq 0) }
      }
    })
  [ordered]@{ list = $list }
}

# Services of another product that somebody declared for this site: how many of them run.
function Get-DeclaredServices {
  $running = 0
  foreach ($name in @($In.params.other_av_services)) {
    $found = @(Get-CimInstance -ClassName Win32_Service -Filter "Name = '$name'")
    if ($found.Count -eq 1 -and [string]$found[0].State -eq 'Running') { $running += 1 }
  }
  [ordered]@{ declared = @($In.params.other_av_services).Count; running = $running }
}

# What a group policy switches off.
function Get-AvPolicy {
  $off = @()
  if ([int](Get-RegistryValue $PolicyKey 'DisableAntiSpyware' 0) -eq 1) { $off += 'defender' }
  $key = "$PolicyKey\Real-Time Protection"
  if ([int](Get-RegistryValue $key 'DisableRealtimeMonitoring' 0) -eq 1) { $off += 'realtime' }
  if ([int](Get-RegistryValue $key 'DisableBehaviorMonitoring' 0) -eq 1) { $off += 'behavior' }
  if ([int](Get-RegistryValue $key 'DisableIOAVProtection' 0) -eq 1) { $off += 'downloads' }
  [ordered]@{ off = $off }
}

function Test-OtherAv($Center, $Services) {
  if ($null -ne $Center) { foreach ($product in $Center.list) { if ($product.on) { return $true } } }
  $Services.declared -gt 0 -and $Services.running -eq $Services.declared
}

# What only a person can put right, so that nothing is changed before.
function Get-ForAPerson($Defender, $Center, $Services) {
  if (Test-OtherAv $Center $Services) {
    if ($null -eq $Center) { return 0 }
    return @($Center.list | Where-Object { $_.on -and -not $_.up_to_date }).Count
  }
  if ($Defender.state -ne 'running' -or $Defender.status.mode -ne 'normal') { return 1 }
  $count = $Defender.exclusions.broad
  $all = $Defender.exclusions.paths + $Defender.exclusions.extensions + $Defender.exclusions.processes
  if ($all -gt [int]$In.params.max_exclusions) { $count += 1 }
  if ([bool]$In.params.tamper_required -and -not $Defender.status.tamper) { $count += 1 }
  if (-not $Defender.status.antivirus) { $count += 1 }
  $count
}
#endregion
$machine = Get-HostPart
$defender = Read-Part 'defender' { Get-Defender }
$others = Read-Part 'others' {
  if ($null -eq $machine) { throw 'host_unread' }
  [ordered]@{ security_center = Get-SecurityCenter $machine; services = Get-DeclaredServices }
}
$policy = Read-Part 'policy' { Get-AvPolicy }
$person = $null
if ($null -ne $defender -and $null -ne $others) { $person = [int](Get-ForAPerson $defender $others.security_center $others.services) }
Write-Facts ([ordered]@{
    host = $machine; unread = @($Unread)
    defender = $defender; others = $others; policy = $policy; for_a_person = $person
  })
