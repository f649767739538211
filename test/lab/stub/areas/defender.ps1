# Defender and Security Center. `defender` of the state: { running, status: {…}, preferences: {…}, updates: { at, fails } };
# `cim.AntiVirusProduct` (workstations only).
Register-LabCim AntiVirusProduct 'root/SecurityCenter2'

# What the cmdlets of the module say while the service does not run.
function Assert-LabDefender([string]$Command) {
  Assert-LabAllowed $Command
  $defender = Get-LabSection defender
  if (-not $defender['running']) { Stop-Lab -Id "HRESULT 0x800106ba,$Command" -HResult 0x800106ba }
  Write-Output -InputObject $defender -NoEnumerate
}

# Real-time protection and its parts are what the preferences say, unless a group policy says otherwise.
function Sync-LabDefender($Defender) {
  $registry = (Get-Lab)['registry']
  $path = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender\Real-Time Protection'
  $policy = if ($null -ne $registry -and $registry.ContainsKey($path)) { $registry[$path] } else { @{ } }
  $parts = @{ DisableRealtimeMonitoring = @('RealTimeProtectionEnabled', 'OnAccessProtectionEnabled'); DisableBehaviorMonitoring = @('BehaviorMonitorEnabled'); DisableIOAVProtection = @('IoavProtectionEnabled') }
  foreach ($preference in $parts.Keys) {
    $off = $Defender['preferences'][$preference] -or $policy[$preference] -eq 1
    foreach ($property in $parts[$preference]) { $Defender['status'][$property] = -not $off }
  }
}

function Get-MpComputerStatus {
  [CmdletBinding()] param()
  $defender = Assert-LabDefender 'Get-MpComputerStatus'
  New-LabObject MSFT_MpComputerStatus $defender['status']
}

function Get-MpPreference {
  [CmdletBinding()] param()
  $defender = Assert-LabDefender 'Get-MpPreference'
  New-LabObject MSFT_MpPreference $defender['preferences']
}

function Set-MpPreference {
  [CmdletBinding()]
  param([bool]$DisableRealtimeMonitoring, [bool]$DisableBehaviorMonitoring, [bool]$DisableIOAVProtection)
  $defender = Assert-LabDefender 'Set-MpPreference'
  foreach ($key in $PSBoundParameters.Keys) {
    # Tamper protection lets nothing be switched off.
    if ($PSBoundParameters[$key] -and $defender['status']['IsTamperProtected']) { Stop-Lab -Id 'HRESULT 0xc0000142,Set-MpPreference' -HResult 0xc0000142 }
    $defender['preferences'][$key] = $PSBoundParameters[$key]
  }
  Sync-LabDefender $defender
  Save-Lab
}

function Update-MpSignature {
  [CmdletBinding()] param()
  $defender = Assert-LabDefender 'Update-MpSignature'
  if ($defender['updates']['fails']) { Stop-Lab -Id 'HRESULT 0x80072ee2,Update-MpSignature' -HResult 0x80072ee2 }
  $defender['status']['AntivirusSignatureLastUpdated'] = $defender['updates']['at']
  $defender['status']['AntivirusSignatureAge'] = 0
  Save-Lab
}
