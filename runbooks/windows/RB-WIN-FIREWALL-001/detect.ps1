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
#region common-firewall
# Local objects, named and put where only administrators may write.
$TaskPath = '\ComplianceAgent\'
$TaskName = 'FirewallRevert'
$SnapshotFolder = Join-Path $env:ProgramFiles 'ComplianceAgent'
$SnapshotFile = Join-Path $SnapshotFolder 'firewall-before.wfw'
# Bits of MSFT_NetFirewallRule.Profiles; 0 is every profile.
$ProfileBits = [ordered]@{ Domain = 1; Private = 2; Public = 4 }

# What is in force, and what group policies set (RSOP holds NotConfigured where they do not).
function Get-Profiles([string]$Store) {
  $list = @(Get-NetFirewallProfile -PolicyStore $Store | ForEach-Object {
      [ordered]@{
        name = [string]$_.Name
        enabled = [string]$_.Enabled
        inbound = [string]$_.DefaultInboundAction
      }
    })
  [ordered]@{ list = $list }
}

# TCP ports that answer from the network now, each with the program behind it. Ports from 49152 up are handed out anew each
# time (RPC) and reached through 135.
function Get-Listeners {
  $paths = @{ }
  foreach ($process in @(Get-CimInstance -ClassName Win32_Process)) { $paths[[long]$process.ProcessId] = [string]$process.ExecutablePath }
  $seen = @{ }
  foreach ($connection in @(Get-NetTCPConnection -State Listen)) {
    $address = [string]$connection.LocalAddress
    $port = [int]$connection.LocalPort
    if ($address -like '127.*' -or $address -eq '::1' -or $port -ge 49152) { continue }
    $path = $paths[[long]$connection.OwningProcess]
    # The kernel's own listeners (SMB, HTTP.sys) have no file.
    if ([string]::IsNullOrEmpty($path)) { $path = 'System' }
    $seen["$port $path"] = [ordered]@{ port = $port; path = $path }
  }
  @($seen.Keys | Sort-Object | ForEach-Object { $seen[$_] })
}

# Enabled inbound allow rules for TCP. Filters are read in one go and joined by InstanceID: one by one, a few hundred rules
# would cost the server a minute.
function Get-AllowRules {
  $ports = @{ }
  foreach ($filter in @(Get-NetFirewallPortFilter -PolicyStore ActiveStore)) { $ports[[string]$filter.InstanceID] = $filter }
  $programs = @{ }
  foreach ($filter in @(Get-NetFirewallApplicationFilter -PolicyStore ActiveStore)) { $programs[[string]$filter.InstanceID] = [string]$filter.AppPath }
  foreach ($rule in @(Get-NetFirewallRule -PolicyStore ActiveStore -Enabled True -Direction Inbound -Action Allow)) {
    $id = [string]$rule.InstanceID
    if (-not $ports.ContainsKey($id)) { throw 'rule_without_filter' }
    if (@('TCP', '6', 'Any') -notcontains [string]$ports[$id].Protocol) { continue }
    $program = [string]$programs[$id]
    if ($program -eq 'Any') { $program = '' }
    [ordered]@{ profiles = [int]$rule.Profiles; ports = @($ports[$id].LocalPort | ForEach-Object { [string]$_ }); program = [Environment]::ExpandEnvironmentVariables($program) }
  }
}

function Test-PortIn([int]$Port, [string[]]$Ports) {
  foreach ($one in $Ports) {
    if ($one -eq [string]$Port) { return $true }
    if ($one -match '^(\d+)-(\d+)$' -and $Port -ge [int]$Matches[1] -and $Port -le [int]$Matches[2]) { return $true }
    if ($one -eq 'RPC-EPMap' -or $one -eq 'RPCEPMap') { if ($Port -eq 135) { return $true } }
  }
  $false
}

# Whether a rule lets the port through on the profile. A rule for any port of a program that hosts many services
# (svchost.exe) counts only with a port: which service it means is not looked at.
function Test-Allowed($Listener, [int]$Bit, $Rules) {
  foreach ($rule in $Rules) {
    if ($rule.profiles -ne 0 -and ($rule.profiles -band $Bit) -eq 0) { continue }
    $sameProgram = $rule.program -eq '' -or $rule.program -eq $Listener.path
    if (-not $sameProgram) { continue }
    if (Test-PortIn $Listener.port $rule.ports) { return $true }
    $anyPort = @($rule.ports).Count -eq 0 -or @($rule.ports) -contains 'Any'
    if ($anyPort -and ($rule.program -eq '' -or $rule.program -notlike '*\svchost.exe')) { return $true }
  }
  $false
}

# Ports that answer now and that no rule lets through on the profiles of $Bits: turning the firewall on would cut them off.
function Get-UncoveredPorts($Listeners, $Rules, [int[]]$Bits) {
  $ports = @(foreach ($listener in @($Listeners)) {
      foreach ($bit in $Bits) { if (-not (Test-Allowed $listener $bit $Rules)) { $listener.port; break } }
    })
  @($ports | Sort-Object -Unique)
}

# Ports through which people and the agent reach this machine: WinRM and RDP, where they answer.
function Get-RemotePorts($Listeners) {
  @(@($Listeners) | ForEach-Object { $_.port } | Where-Object { @(3389, 5985, 5986) -contains $_ } | Sort-Object -Unique)
}

# Profiles that are not as they should be: which setting, and whether a group policy set it.
function Get-Drift($Active, $Policy) {
  foreach ($item in @($Active)) {
    $set = @(@($Policy) | Where-Object { $_.name -eq $item.name })
    if ($item.enabled -eq 'False') { [ordered]@{ name = $item.name; setting = 'enabled'; is = 'False'; managed = ($set.Count -gt 0 -and $set[0].enabled -eq 'False') } }
    if ($item.inbound -eq 'Allow') { [ordered]@{ name = $item.name; setting = 'inbound'; is = 'Allow'; managed = ($set.Count -gt 0 -and $set[0].inbound -eq 'Allow') } }
  }
}
#endregion
$machine = Get-HostPart
$service = Read-Part 'service' {
  $found = @(Get-CimInstance -ClassName Win32_Service -Filter "Name = 'MpsSvc'")
  [ordered]@{ running = ($found.Count -eq 1 -and [string]$found[0].State -eq 'Running') }
}
$active = Read-Part 'profiles' { Get-Profiles 'ActiveStore' }
$policy = Read-Part 'policy' { Get-Profiles 'RSOP' }
$reach = Read-Part 'reach' {
  $listeners = @(Get-Listeners)
  $rules = @(Get-AllowRules)
  $accepted = @($In.params.may_close_ports | ForEach-Object { [string]$_ })
  $uncovered = @(Get-UncoveredPorts $listeners $rules @($ProfileBits.Values))
  $remote = @(Get-RemotePorts $listeners)
  # Rules for these are added before anything else, so they are not cut.
  $cut = @($uncovered | Where-Object { $remote -notcontains $_ -and $accepted -notcontains [string]$_ })
  [ordered]@{
    listeners = $listeners.Count
    allow_rules = $rules.Count
    would_be_cut = @($cut | Select-Object -First 32)
    remote_without_rule = @($uncovered | Where-Object { $remote -contains $_ })
  }
}
$revert = Read-Part 'revert' {
  [ordered]@{ armed = (@(Get-ScheduledTask -TaskName "$TaskName*" -TaskPath "$TaskPath*").Count -gt 0) }
}
$cuts = $null
if ($null -ne $reach) { $cuts = @($reach.would_be_cut).Count }
Write-Facts ([ordered]@{
    host = $machine; unread = @($Unread)
    service = $service; profiles = $active; policy = $policy; reach = $reach; would_cut = $cuts; revert = $revert
  })
