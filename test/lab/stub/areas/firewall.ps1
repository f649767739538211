# Windows Firewall. `firewall` of the state: { local: { profiles: [{Name, Enabled, DefaultInboundAction, …}], rules: [{InstanceID,
# Direction, Action, Enabled, Profiles, Protocol, LocalPort, AppPath, group}] }, policy: { profiles: [...] } (what group policies
# set; NotConfigured where they do not) }. `connections`: list of TCP connections.

$script:FirewallDefaults = @{ Enabled = 'True'; DefaultInboundAction = 'Block'; DefaultOutboundAction = 'Allow'; AllowLocalFirewallRules = 'True'; LogBlocked = 'False'; LogMaxSizeKilobytes = 4096 }

# A profile as one store has it. ActiveStore: what group policies set, else what is set here, else Windows' default.
function Get-LabProfile($Local, [string]$Store) {
  $values = @{}
  foreach ($key in $Local.Keys) { $values[$key] = $Local[$key] }
  if ($Store -eq 'PersistentStore') { return $values }
  $policy = @((Get-LabSection firewall)['policy']['profiles']) | Where-Object { $null -ne $_ -and $_['Name'] -eq $Local['Name'] }
  foreach ($key in $script:FirewallDefaults.Keys) {
    $set = if ($null -ne $policy -and $policy.ContainsKey($key)) { $policy[$key] } else { 'NotConfigured' }
    if ($Store -eq 'RSOP') { $values[$key] = if ($key -like 'Log*Kilobytes' -and $set -eq 'NotConfigured') { 0 } else { $set } }
    elseif ($set -ne 'NotConfigured') { $values[$key] = $set }
    elseif ($null -eq $values[$key] -or $values[$key] -eq 'NotConfigured') { $values[$key] = $script:FirewallDefaults[$key] }
  }
  $values
}

function Get-NetFirewallProfile {
  [CmdletBinding()]
  param([Parameter(Position = 0)][string[]]$Name, [switch]$All, [string]$PolicyStore = 'PersistentStore')
  Assert-LabAllowed 'Get-NetFirewallProfile'
  if (@('PersistentStore', 'ActiveStore', 'RSOP') -notcontains $PolicyStore) { throw "the lab has no policy store $PolicyStore" }
  $firewall = Get-LabSection firewall
  if ($PolicyStore -eq 'RSOP' -and $null -eq $firewall['policy']) { return }
  if ($null -eq $firewall['policy']) { $firewall['policy'] = @{ profiles = @() } }
  foreach ($local in $firewall['local']['profiles']) {
    if ($Name -and $Name -notcontains $local['Name']) { continue }
    New-LabObject MSFT_NetFirewallProfile (Get-LabProfile $local $PolicyStore)
  }
}

function Set-NetFirewallProfile {
  [CmdletBinding()]
  param(
    [Parameter(Position = 0)][string[]]$Name, [switch]$All, [ValidateSet('True', 'False', 'NotConfigured')][string]$Enabled,
    [ValidateSet('NotConfigured', 'Allow', 'Block')][string]$DefaultInboundAction, [ValidateSet('True', 'False', 'NotConfigured')][string]$LogBlocked,
    [uint64]$LogMaxSizeKilobytes
  )
  Assert-LabAllowed 'Set-NetFirewallProfile'
  foreach ($local in (Get-LabSection firewall)['local']['profiles']) {
    if (-not $All -and $Name -notcontains $local['Name']) { continue }
    foreach ($key in @('Enabled', 'DefaultInboundAction', 'LogBlocked', 'LogMaxSizeKilobytes')) {
      if ($PSBoundParameters.ContainsKey($key)) { $local[$key] = $PSBoundParameters[$key] }
    }
  }
  Save-Lab
}

# Not kept in the state's hashtables by another name: a rule, its port filter and its application filter share the InstanceID.
function Get-LabRules([string]$PolicyStore) {
  $firewall = Get-LabSection firewall
  $rules = @($firewall['local']['rules'])
  if ($PolicyStore -eq 'ActiveStore' -and $null -ne $firewall['policy'] -and $firewall['policy'].ContainsKey('rules')) { $rules += @($firewall['policy']['rules']) }
  $rules | Where-Object { $null -ne $_ }
}

function Get-NetFirewallRule {
  [CmdletBinding()]
  param(
    [string[]]$Name, [switch]$All, [string]$PolicyStore = 'PersistentStore', [ValidateSet('True', 'False')][string]$Enabled,
    [ValidateSet('Inbound', 'Outbound')][string]$Direction, [ValidateSet('NotConfigured', 'Allow', 'Block')][string]$Action
  )
  Assert-LabAllowed 'Get-NetFirewallRule'
  foreach ($rule in (Get-LabRules $PolicyStore)) {
    if ($Name -and $Name -notcontains $rule['InstanceID']) { continue }
    if ($Enabled -and $rule['Enabled'] -ne $Enabled) { continue }
    if ($Direction -and $rule['Direction'] -ne $Direction) { continue }
    if ($Action -and $rule['Action'] -ne $Action) { continue }
    New-LabObject MSFT_NetFirewallRule @{ InstanceID = $rule['InstanceID']; Direction = $rule['Direction']; Action = $rule['Action']; Enabled = $rule['Enabled']; Profiles = $rule['Profiles']; DisplayName = $rule['DisplayName'] }
  }
}

function Get-NetFirewallPortFilter {
  [CmdletBinding()]
  param([switch]$All, [string]$PolicyStore = 'PersistentStore')
  foreach ($rule in (Get-LabRules $PolicyStore)) {
    New-LabObject MSFT_NetProtocolPortFilter @{ InstanceID = $rule['InstanceID']; Protocol = $rule['Protocol']; LocalPort = @($rule['LocalPort']) }
  }
}

function Get-NetFirewallApplicationFilter {
  [CmdletBinding()]
  param([switch]$All, [string]$PolicyStore = 'PersistentStore')
  foreach ($rule in (Get-LabRules $PolicyStore)) {
    New-LabObject MSFT_NetApplicationFilter @{ InstanceID = $rule['InstanceID']; AppPath = $rule['AppPath'] }
  }
}

function New-NetFirewallRule {
  [CmdletBinding()]
  param(
    [string]$Name, [Parameter(Mandatory)][string]$DisplayName, [string]$Description, [ValidateSet('Inbound', 'Outbound')][string]$Direction = 'Inbound',
    [ValidateSet('NotConfigured', 'Allow', 'Block')][string]$Action = 'Allow', [ValidateSet('True', 'False')][string]$Enabled = 'True',
    [string[]]$Profile = @('Any'), [string]$Protocol = 'Any', [string[]]$LocalPort = @('Any')
  )
  Assert-LabAllowed 'New-NetFirewallRule'
  $local = (Get-LabSection firewall)['local']
  if (@($local['rules'] | Where-Object { $null -ne $_ -and $_['InstanceID'] -eq $Name })) { Stop-Lab -Id 'HRESULT 0x800700b7,New-NetFirewallRule' -HResult 0x800700b7 -Category ResourceExists }
  $bits = @{ Any = 0; Domain = 1; Private = 2; Public = 4 }
  $mask = 0
  foreach ($one in $Profile) { $mask = $mask -bor $bits[$one] }
  $rule = [ordered]@{ InstanceID = $Name; DisplayName = $DisplayName; Direction = $Direction; Action = $Action; Enabled = $Enabled; Profiles = $mask; Protocol = $Protocol; LocalPort = @($LocalPort); AppPath = $null }
  $local['rules'] = @($local['rules'] | Where-Object { $null -ne $_ }) + @($rule)
  Save-Lab
  New-LabObject MSFT_NetFirewallRule @{ InstanceID = $Name; Direction = $Direction; Action = $Action; Enabled = $Enabled; Profiles = $mask }
}

function Get-NetTCPConnection {
  [CmdletBinding()]
  param([string[]]$State, [uint16[]]$LocalPort)
  Assert-LabAllowed 'Get-NetTCPConnection'
  foreach ($connection in (Get-LabSection connections)) {
    if ($State -and $State -notcontains $connection['State']) { continue }
    New-LabObject MSFT_NetTCPConnection $connection
  }
}

# https://learn.microsoft.com/windows-server/administration/windows-commands/netsh-advfirewall: export and import of the local policy.
function Invoke-LabNetsh([string]$Verb, [string]$File) {
  $firewall = Get-LabSection firewall
  if ($Verb -eq 'export') {
    # netsh does not overwrite.
    if (Test-Path -LiteralPath $File) { return 1 }
    [IO.File]::WriteAllText($File, (Microsoft.PowerShell.Utility\ConvertTo-Json -InputObject $firewall['local'] -Depth 32 -Compress))
    return 0
  }
  if (-not (Test-Path -LiteralPath $File)) { return 1 }
  $arguments = @{ InputObject = [IO.File]::ReadAllText($File); AsHashtable = $true; Depth = 64 }
  $firewall['local'] = Microsoft.PowerShell.Utility\ConvertFrom-Json @arguments
  Save-Lab
  0
}

function netsh.exe {
  if ($args.Count -ne 3 -or $args[0] -ne 'advfirewall' -or @('export', 'import') -notcontains $args[1]) { throw "the lab's netsh knows: advfirewall export|import FILE" }
  Assert-LabAllowed 'netsh.exe'
  $global:LASTEXITCODE = Invoke-LabNetsh $args[1] $args[2]
  if ($global:LASTEXITCODE -eq 0) { "OK.`n" } else { 'Die Datei kann nicht verwendet werden.' }
}

Register-LabProgram 'netsh.exe' {
  param([string]$Arguments)
  if ($Arguments -notmatch '^advfirewall import "([^"]+)"$') { return 1 }
  Invoke-LabNetsh 'import' $Matches[1]
}
