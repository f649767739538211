# Active Directory as one of its domain controllers gives it: `directory` of the state: {self, domain, forest, controllers,
# links, users, groups, computers}. Without that section the module is not installed. `directory.unreachable`: the directory
# cannot be asked from here (a remote logon may not go on to another machine).

Register-LabCim Win32_Share
Register-LabCim Win32_Service
Register-LabCim DfsrReplicatedFolderInfo 'root/MicrosoftDfs'

# The section, or the error of a directory that nobody can ask.
function Get-LabDirectory([string]$Server) {
  $lab = Get-Lab
  $caller = (Get-PSCallStack)[1].FunctionName
  if (-not $lab.ContainsKey('directory')) {
    $failure = [Management.Automation.CommandNotFoundException]::new("The term '$caller' is not recognized")
    throw [Management.Automation.ErrorRecord]::new($failure, 'CommandNotFoundException', 'ObjectNotFound', $caller)
  }
  Assert-LabAllowed $caller
  if ($lab.directory['unreachable']) {
    Stop-Lab -Id "ActiveDirectoryServer:0,Microsoft.ActiveDirectory.Management.Commands.$caller" -HResult 0x80131500 -Category ResourceUnavailable
  }
  if ($Server -and $Server -ne 'localhost') { throw "the lab's directory answers as localhost, not as $Server" }
  Write-Output -InputObject $lab.directory -NoEnumerate
}

function Get-ADDomainController {
  [CmdletBinding(DefaultParameterSetName = 'Identity')]
  param([Parameter(ParameterSetName = 'Identity')][string]$Identity, [Parameter(ParameterSetName = 'Filter', Mandatory)][string]$Filter, [string]$Server)
  $directory = Get-LabDirectory $Server
  if ($PSCmdlet.ParameterSetName -eq 'Filter') {
    if ($Filter -ne '*') { throw 'the lab knows the filter * only' }
    foreach ($one in @($directory.controllers)) { New-LabObject ADDomainController $one }
  } else {
    New-LabObject ADDomainController (@($directory.controllers) | Where-Object { $_.HostName -eq $directory.self })
  }
}

function Get-ADDomain { [CmdletBinding()] param([string]$Identity, [string]$Server) New-LabObject ADDomain (Get-LabDirectory $Server).domain }
function Get-ADForest { [CmdletBinding()] param([string]$Identity, [string]$Server) New-LabObject ADForest (Get-LabDirectory $Server).forest }

function Get-ADReplicationPartnerMetadata {
  [CmdletBinding()]
  param([Parameter(Mandatory)][object[]]$Target, [string[]]$Partition, [string]$PartnerType = 'Inbound')
  $directory = Get-LabDirectory 'localhost'
  if ([string]$Target[0] -ne $directory.self) { throw 'the lab knows the links of its own controller only' }
  foreach ($link in @($directory.links)) { New-LabObject ADReplicationPartnerMetadata $link }
}

# The one filter that the scripts use: enabled, and not logged on since a FILETIME, or never and made before a time.
function Get-ADUser {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$LDAPFilter, [int]$ResultSetSize = 1000, [string]$Server)
  $directory = Get-LabDirectory $Server
  $shape = '^\(&\(!\(userAccountControl:1\.2\.840\.113556\.1\.4\.803:=2\)\)\(\|\(lastLogonTimestamp<=(\d+)\)\(&\(!\(lastLogonTimestamp=\*\)\)\(whenCreated<=(\d{14})\.0Z\)\)\)\)$'
  if ($LDAPFilter -notmatch $shape) { throw "the lab does not know the filter $LDAPFilter" }
  $since = [DateTime]::FromFileTimeUtc([int64]$Matches[1])
  $created = [DateTime]::ParseExact($Matches[2], 'yyyyMMddHHmmss', [Globalization.CultureInfo]::InvariantCulture, 'AssumeUniversal, AdjustToUniversal')
  @($directory.users) | Where-Object {
    $_.enabled -and $(if ($_.logon) { (ConvertTo-LabTime $_.logon) -le $since } else { (ConvertTo-LabTime $_.created) -le $created })
  } | Select-Object -First $ResultSetSize | ForEach-Object { New-LabObject ADUser @{ SID = $_.sid; Enabled = $_.enabled } }
}

function Search-ADAccount {
  [CmdletBinding()]
  param([Parameter(Mandatory)][switch]$LockedOut, [switch]$UsersOnly, [int]$ResultSetSize = 1000, [string]$Server)
  $directory = Get-LabDirectory $Server
  @($directory.users) | Where-Object { $_.locked } | Select-Object -First $ResultSetSize |
    ForEach-Object { New-LabObject ADAccount @{ SID = $_.sid; LockedOut = $true } }
}

function Get-ADGroupMember {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$Identity, [switch]$Recursive, [string]$Server)
  $directory = Get-LabDirectory $Server
  if ($Identity -notmatch '^S-1-5-') { throw 'the lab finds groups by SID only: their names are translated' }
  if (-not $directory.groups.ContainsKey($Identity)) {
    Stop-Lab -Id 'ActiveDirectoryCmdlet:Microsoft.ActiveDirectory.Management.ADIdentityNotFoundException' -HResult 0x80131500 -Category ObjectNotFound
  }
  foreach ($sid in @($directory.groups[$Identity])) { New-LabObject ADPrincipal @{ SID = $sid; ObjectClass = 'user' } }
}

function Get-ADComputer {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$Identity, [string]$Server)
  $directory = Get-LabDirectory $Server
  $found = @($directory.computers) | Where-Object { $_.name -eq $Identity }
  if ($null -eq $found) {
    Stop-Lab -Id 'ActiveDirectoryCmdlet:Microsoft.ActiveDirectory.Management.ADIdentityNotFoundException' -HResult 0x80131500 -Category ObjectNotFound
  }
  New-LabObject ADComputer @{ Name = $found.name; DistinguishedName = "CN=$($found.name),OU=Computers,DC=clinic,DC=example" }
}

function Get-ADObject {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$LDAPFilter, [Parameter(Mandatory)][string]$SearchBase, [string]$SearchScope, [int]$ResultSetSize = 1000, [string]$Server)
  $directory = Get-LabDirectory $Server
  if ($LDAPFilter -ne '(objectClass=msFVE-RecoveryInformation)') { throw "the lab does not know the filter $LDAPFilter" }
  foreach ($computer in @($directory.computers)) {
    if ($SearchBase -ne "CN=$($computer.name),OU=Computers,DC=clinic,DC=example") { continue }
    foreach ($name in @($computer.recovery)) { New-LabObject ADObject @{ Name = $name; ObjectClass = 'msFVE-RecoveryInformation' } }
  }
}
