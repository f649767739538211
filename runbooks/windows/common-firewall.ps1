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
