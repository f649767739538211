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
