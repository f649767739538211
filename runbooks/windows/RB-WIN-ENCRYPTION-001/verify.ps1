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

# Between the steps of a long part.
function Assert-Budget {
  if ((Get-UsedCpuMs) -gt 1000 * [int]$In.params.budget_cpu_s) { throw 'over_budget' }
}

# Fixed volumes, and what BitLocker says about each. Numbers are those of Win32_EncryptableVolume; no volume is named.
$machine = Get-HostPart

$volumes = Read-Part 'volumes' {
  @(Get-CimInstance -ClassName Win32_Volume) | Where-Object { [int]$_.DriveType -eq 3 } | ForEach-Object {
    [pscustomobject]@{
      Id          = [string]$_.DeviceID
      # Without a letter or a folder, a volume's name is its device id.
      Mounted     = -not ([string]$_.Name).StartsWith('\\?\')
      System      = [bool]$_.SystemVolume
      Boot        = [bool]$_.BootVolume
      FileSystem  = [string]$_.FileSystem
    }
  }
}

$bitlocker = 'present'
$protected = @{}
try {
  Assert-Budget
  foreach ($found in @(Get-CimInstance -Namespace 'root/cimv2/Security/MicrosoftVolumeEncryption' -ClassName Win32_EncryptableVolume)) {
    $protected[[string]$found.DeviceID] = $found
  }
} catch {
  $reason = (Get-ErrorReason $_).reason
  # No such namespace: the feature is not installed, and nothing can be encrypted with it.
  if ($reason -eq 'missing') { $bitlocker = 'not_installed' } else {
    $bitlocker = 'unread'
    [void]$Unread.Add([ordered]@{ part = 'bitlocker'; reason = $reason; code = (Get-ErrorReason $_).code })
  }
}

function Invoke-Volume($Volume, [string]$Method, $Arguments) {
  $answer = Invoke-CimMethod -InputObject $Volume -MethodName $Method -Arguments $Arguments
  if ([uint32]$answer.ReturnValue -ne 0) {
    $code = [System.BitConverter]::ToInt32([System.BitConverter]::GetBytes([uint32]$answer.ReturnValue), 0)
    throw (New-Object System.Runtime.InteropServices.COMException('', $code))
  }
  return $answer
}

$recoveryIds = New-Object System.Collections.ArrayList
function Read-Protection($Volume) {
  $protectors = New-Object System.Collections.ArrayList
  foreach ($id in @((Invoke-Volume $Volume 'GetKeyProtectors' @{}).VolumeKeyProtectorID)) {
    if ($null -eq $id) { continue }
    $type = [int](Invoke-Volume $Volume 'GetKeyProtectorType' @{ VolumeKeyProtectorID = $id }).KeyProtectorType
    [void]$protectors.Add($type)
    if ($type -eq 3) { [void]$recoveryIds.Add([string]$id) }
  }
  return [ordered]@{
    protection = [int](Invoke-Volume $Volume 'GetProtectionStatus' @{}).ProtectionStatus
    conversion = [int](Invoke-Volume $Volume 'GetConversionStatus' @{}).ConversionStatus
    method     = [int64](Invoke-Volume $Volume 'GetEncryptionMethod' @{}).EncryptionMethod
    protectors = [object[]]@($protectors.ToArray() | Sort-Object)
  }
}

$entries = New-Object System.Collections.ArrayList
$unmounted = 0
foreach ($volume in @($volumes)) {
  if ($null -eq $volume) { continue }
  # Firmware reads the system volume before anything is unlocked, so it stays in clear; one without a name holds no data of people.
  if (-not $volume.Boot -and ($volume.System -or -not $volume.Mounted)) { $unmounted++; continue }
  $found = $protected[$volume.Id]
  $bitlockerFacts = $null
  if ($null -ne $found) { $bitlockerFacts = Read-Part 'protection' { Read-Protection $found } }
  [void]$entries.Add([ordered]@{
    kind        = $(if ($volume.Boot) { 'os' } else { 'data' })
    file_system = $(if ($volume.FileSystem -match '^[A-Za-z0-9]{1,16}$') { $volume.FileSystem } else { 'none' })
    encryptable = ($null -ne $found)
    bitlocker   = $bitlockerFacts
  })
}

# Does the directory hold what is needed to recover? Only where the directory can be asked from here.
$escrow = [ordered]@{ directory = 'not_asked'; recovery_passwords = $recoveryIds.Count; in_directory = 0; policy = $null }
$escrow.policy = Read-Part 'escrow_policy' {
  $key = 'HKLM:\SOFTWARE\Policies\Microsoft\FVE'
  [ordered]@{
    os_required   = ([int](Get-RegistryValue $key 'OSRequireActiveDirectoryBackup' $null) -eq 1) -and ([int](Get-RegistryValue $key 'OSActiveDirectoryBackup' $null) -eq 1)
    data_required = ([int](Get-RegistryValue $key 'FDVRequireActiveDirectoryBackup' $null) -eq 1) -and ([int](Get-RegistryValue $key 'FDVActiveDirectoryBackup' $null) -eq 1)
  }
}
if ($recoveryIds.Count -gt 0) {
  try {
    Assert-Budget
    $name = [string](Get-CimInstance -ClassName Win32_OperatingSystem).CSName
    $computer = Get-ADComputer -Identity $name
    $stored = @(Get-ADObject -LDAPFilter '(objectClass=msFVE-RecoveryInformation)' -SearchBase $computer.DistinguishedName -SearchScope OneLevel -ResultSetSize 500)
    $names = ($stored | ForEach-Object { ([string]$_.Name).ToUpperInvariant() }) -join ' '
    $escrow.in_directory = @($recoveryIds | Where-Object { $names.Contains($_.ToUpperInvariant()) }).Count
    $escrow.directory = 'asked'
  } catch {
    # The module is often not there, and a remote logon may not go on to another machine: that is no fault of this one.
    $escrow.directory = $(if ((Get-ErrorReason $_).reason -eq 'missing') { 'not_asked' } else { 'not_reached' })
  }
}

$volumeFacts = $null
if ($null -ne $volumes) { $volumeFacts = [object[]]$entries.ToArray() }
Write-Facts ([ordered]@{
  host          = $machine
  bitlocker     = $bitlocker
  volumes       = $volumeFacts
  other_volumes = $unmounted
  escrow        = $escrow
    unread        = $Unread.ToArray()
})
