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

# Health of a domain controller, read on itself: replication, roles, SYSVOL, time, and counts of accounts. Never a name.
$machine = Get-HostPart
$facts = [ordered]@{
  host = $machine; controller = $null; fsmo = $null; replication = $null; sysvol = $null; time = $null; accounts = $null
}
if ($null -eq $machine -or $machine.role -ne 'domain_controller') {
  $facts.unread = $Unread.ToArray()
  Write-Facts $facts
  return
}

# The controller that answers on this machine; nothing here asks another one.
$server = 'localhost'
$self = Read-Part 'controller' { Get-ADDomainController -Server $server }
$domain = Read-Part 'domain' { Get-ADDomain -Server $server }
$forest = Read-Part 'forest' { Get-ADForest -Server $server }
$all = Read-Part 'controllers' { @(Get-ADDomainController -Filter '*' -Server $server) | ForEach-Object { [string]$_.HostName } }

$facts.controller = Read-Part 'controller' {
  [ordered]@{
    writable       = -not [bool]$self.IsReadOnly
    global_catalog = [bool]$self.IsGlobalCatalog
    controllers    = @($all).Count
  }
}

$facts.fsmo = Read-Part 'fsmo' {
  $holders = [ordered]@{
    schema_master = $forest.SchemaMaster; domain_naming_master = $forest.DomainNamingMaster
    pdc_emulator = $domain.PDCEmulator; rid_master = $domain.RIDMaster; infrastructure_master = $domain.InfrastructureMaster
  }
  # In a domain below the root, the two roles of the forest belong to a controller of another domain.
  $isRoot = [string]$forest.RootDomain -eq [string]$domain.DNSRoot
  foreach ($role in $holders.Keys) {
    $ofForest = $role -eq 'schema_master' -or $role -eq 'domain_naming_master'
    [ordered]@{
      role   = $role
      here   = ([string]$holders[$role] -eq [string]$self.HostName)
      holder = $(if (@($all) -contains [string]$holders[$role]) { 'known' } elseif ($ofForest -and -not $isRoot) { 'other_domain' } else { 'gone' })
    }
  }
}
if ($null -ne $facts.fsmo) { $facts.fsmo = [object[]]@($facts.fsmo) }

$links = Read-Part 'replication' {
  $found = @(Get-ADReplicationPartnerMetadata -Target ([string]$self.HostName) -Partition '*' -PartnerType Inbound | Select-Object -First 200)
  [pscustomobject]@{
    Links = @($found | ForEach-Object {
        [ordered]@{
          last_success_at = Get-IsoTimeOrNull $_.LastReplicationSuccess
          result          = [int64]$_.LastReplicationResult
          failures        = [int]$_.ConsecutiveReplicationFailures
        }
      })
  }
}
if ($null -ne $links) { $facts.replication = [object[]]@($links.Links) }

$facts.sysvol = Read-Part 'sysvol' {
  $netlogon = 'HKLM:\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters'
  $migration = Get-RegistryValue 'HKLM:\SYSTEM\CurrentControlSet\Services\DFSR\Parameters\SysVols\Migrating Sysvols' 'Local State' $null
  $shares = @(Get-CimInstance -ClassName Win32_Share | ForEach-Object { ([string]$_.Name).ToUpperInvariant() })
  $folder = $null
  try {
    $folder = @(Get-CimInstance -Namespace 'root/MicrosoftDfs' -ClassName DfsrReplicatedFolderInfo |
        Where-Object { [string]$_.ReplicationGroupName -eq 'Domain System Volume' }) | Select-Object -First 1
  } catch { if ((Get-ErrorReason $_).reason -ne 'missing') { throw } }
  [ordered]@{
    ready          = ([int](Get-RegistryValue $netlogon 'SysvolReady' $null) -eq 1)
    sysvol_share   = ($shares -contains 'SYSVOL')
    netlogon_share = ($shares -contains 'NETLOGON')
    # A domain made with DFS Replication from its first day has no key of a migration.
    frs_migration  = $(if ($null -eq $migration) { 'none' } elseif ([int]$migration -eq 3) { 'eliminated' } else { 'unfinished' })
    dfsr_state     = $(if ($null -eq $folder) { -1 } else { [int]$folder.State })
    dfsr_error     = $(if ($null -eq $folder) { 0 } else { [int64]$folder.LastErrorCode })
  }
}

$facts.time = Read-Part 'time' {
  $service = @(Get-CimInstance -ClassName Win32_Service -Filter "Name = 'W32Time'")
  # Keys of a hashtable are found in either case.
  $sources = @{ NTP = 'ntp'; NT5DS = 'domain'; AllSync = 'all'; NoSync = 'none' }
  $source = [string](Get-RegistryValue 'HKLM:\SYSTEM\CurrentControlSet\Services\W32Time\Parameters' 'Type' $null)
  [ordered]@{
    service = $(if ($service.Count -eq 0) { 'missing' } elseif ([string]$service[0].State -eq 'Running') { 'running' } else { 'stopped' })
    source  = $(if ($sources.ContainsKey($source)) { $sources[$source] } else { 'unknown' })
    pdc     = ([string]$domain.PDCEmulator -eq [string]$self.HostName)
  }
}

# Bounded at the source: so many accounts at most, by attributes that are indexed, one question at a time.
$limit = [int]$In.params.account_limit
$facts.accounts = Read-Part 'accounts' {
  $sid = [string]$domain.DomainSID
  $since = (Get-Date).ToUniversalTime().AddDays( - [int]$In.params.stale_days)
  $created = $since.ToString("yyyyMMddHHmmss'.0Z'", [System.Globalization.CultureInfo]::InvariantCulture)
  $enabled = '(!(userAccountControl:1.2.840.113556.1.4.803:=2))'
  $idle = "(|(lastLogonTimestamp<=$($since.ToFileTimeUtc()))(&(!(lastLogonTimestamp=*))(whenCreated<=$created)))"
  $stale = @(Get-ADUser -LDAPFilter "(&$enabled$idle)" -ResultSetSize $limit -Server $server).Count
  Assert-Budget
  $locked = @(Search-ADAccount -LockedOut -UsersOnly -ResultSetSize $limit -Server $server).Count
  Assert-Budget
  # By SID: the groups have other names in other languages. 512 domain, 518 schema, 519 enterprise administrators.
  $groups = @("$sid-512", 'S-1-5-32-544')
  if ([string]$forest.RootDomain -eq [string]$domain.DNSRoot) { $groups += @("$sid-518", "$sid-519") }
  $members = @{}
  foreach ($group in $groups) {
    foreach ($member in @(Get-ADGroupMember -Identity $group -Recursive -Server $server)) { $members[[string]$member.SID] = $true }
    Assert-Budget
  }
  [ordered]@{ stale = $stale; locked = $locked; privileged = $members.Count; limit = $limit }
}

$facts.unread = $Unread.ToArray()
Write-Facts $facts
