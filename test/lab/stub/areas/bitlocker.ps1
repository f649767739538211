# BitLocker: `bitlocker.volumes` of the state, one object for each volume: {id, name, letter, drive_type, boot, system,
# file_system, fve: null or {protection, conversion, method, protectors: {id: type}, locked}}. Without `bitlocker.installed`
# the namespace is not there.

function Get-LabVolumes { @((Get-Lab)['bitlocker']['volumes']) }

Register-LabCim Win32_Volume -Source {
  foreach ($volume in Get-LabVolumes) {
    @{
      DeviceID = $volume.id; Name = $volume.name; DriveLetter = $volume.letter; DriveType = $volume.drive_type
      BootVolume = $volume.boot; SystemVolume = $volume.system; FileSystem = $volume.file_system
    }
  }
}

# Only volumes that can be encrypted have an instance.
if ((Get-Lab)['bitlocker'] -and (Get-Lab)['bitlocker']['installed']) {
  Register-LabCim Win32_EncryptableVolume 'root/cimv2/Security/MicrosoftVolumeEncryption' -Source {
    foreach ($volume in Get-LabVolumes) {
      if ($null -eq $volume.fve) { continue }
      @{ DeviceID = $volume.id; DriveLetter = $volume.letter; ProtectionStatus = $volume.fve.protection }
    }
  }
}

function Get-LabFve($Instance) {
  (Get-LabVolumes | Where-Object { $_.id -eq $Instance.DeviceID }).fve
}

# FVE_E_LOCKED_VOLUME where the volume is locked.
function New-LabFveAnswer([string]$Method, $Fve, [hashtable]$Values, [switch]$EvenLocked) {
  $code = if ($Fve.locked -and -not $EvenLocked) { 2150694912 } else { 0 }
  New-LabObject "Win32_EncryptableVolume.$Method" (@{ ReturnValue = $code } + $(if ($code -eq 0) { $Values } else { @{} }))
}

Register-LabCimMethod Win32_EncryptableVolume GetProtectionStatus {
  $fve = Get-LabFve $args[0]
  New-LabFveAnswer GetProtectionStatus $fve @{ ProtectionStatus = $fve.protection } -EvenLocked
}
Register-LabCimMethod Win32_EncryptableVolume GetConversionStatus {
  $fve = Get-LabFve $args[0]
  New-LabFveAnswer GetConversionStatus $fve @{ ConversionStatus = $fve.conversion }
}
Register-LabCimMethod Win32_EncryptableVolume GetEncryptionMethod {
  $fve = Get-LabFve $args[0]
  New-LabFveAnswer GetEncryptionMethod $fve @{ EncryptionMethod = $fve.method }
}
Register-LabCimMethod Win32_EncryptableVolume GetKeyProtectors {
  $fve = Get-LabFve $args[0]
  New-LabFveAnswer GetKeyProtectors $fve @{ VolumeKeyProtectorID = @($fve.protectors.Keys | Sort-Object) } -EvenLocked
}
Register-LabCimMethod Win32_EncryptableVolume GetKeyProtectorType {
  $fve = Get-LabFve $args[0]
  New-LabFveAnswer GetKeyProtectorType $fve @{ KeyProtectorType = $fve.protectors[[string]$args[1].VolumeKeyProtectorID] } -EvenLocked
}
