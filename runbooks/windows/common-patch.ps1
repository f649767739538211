# ISO 8601 in UTC, or null: COM, FILETIME and .NET each have their own date that means "never".
function Get-IsoTimeOrNull($Value) {
  if ($null -eq $Value -or ([datetime]$Value).Year -lt 1980) { return $null }
  Get-IsoTime ([datetime]$Value)
}

# How bad an update is: Microsoft's own rating, which is never translated; without one, its classification by GUID.
$securityUpdates = '0FA1201D-4330-4FA8-8AE9-B877473B6441'
$criticalUpdates = 'E6CF1350-C01B-414D-A61F-263D14D133B4'
$taskPath = '\ComplianceAgent\'
$taskName = 'ComplianceAgent-Patch'

function Get-Level($Update) {
  switch ([string]$Update.MsrcSeverity) {
    'Critical' { return 'critical' }
    'Important' { return 'important' }
    'Moderate' { return 'moderate' }
    'Low' { return 'low' }
  }
  $classes = @(foreach ($category in $Update.Categories) { ([string]$category.CategoryID).ToUpperInvariant() })
  if ($classes -contains $securityUpdates -or $classes -contains $criticalUpdates) { return 'important' }
  return 'none'
}

# The Windows Update Agent gives times in UTC without saying so.
function ConvertTo-UpdateTime($Value) {
  if ($null -eq $Value) { return $null }
  return Get-IsoTimeOrNull ([datetime]::SpecifyKind([datetime]$Value, [System.DateTimeKind]::Utc))
}

# From what the machine last learned, without asking anybody: an online search costs minutes of processor time.
function Get-MissingUpdates {
  $session = New-Object -ComObject Microsoft.Update.Session
  $searcher = $session.CreateUpdateSearcher()
  $searcher.Online = $false
  $found = $searcher.Search("IsInstalled=0 and Type='Software'")
  if (@(2, 3) -notcontains [int]$found.ResultCode) { throw (New-Object System.InvalidOperationException) }
  foreach ($update in $found.Updates) {
    [pscustomobject]@{
      Id             = ([string]$update.Identity.UpdateID).ToLowerInvariant()
      Level          = Get-Level $update
      PublishedAt    = ConvertTo-UpdateTime $update.LastDeploymentChangeTime
      Hidden         = [bool]$update.IsHidden
      WaitsForReboot = [bool]$update.RebootRequired
      Interactive    = [bool]$update.InstallationBehavior.CanRequestUserInput
      Licence        = -not [bool]$update.EulaAccepted
    }
  }
}

# Whose word counts here: a server of updates, a policy of Windows Update for Business, a device management, or nobody's.
function Get-UpdateManager {
  $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
  if ([int](Get-RegistryValue "$policy\AU" 'UseWUServer' $null) -eq 1 -and [string](Get-RegistryValue $policy 'WUServer' $null) -ne '') { return 'wsus' }
  foreach ($name in 'DeferQualityUpdates', 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'TargetReleaseVersion') {
    if ($null -ne (Get-RegistryValue $policy $name $null)) { return 'wufb' }
  }
  foreach ($name in 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'AllowAutoUpdate') {
    if ($null -ne (Get-RegistryValue 'HKLM:\SOFTWARE\Microsoft\PolicyManager\current\device\Update' $name $null)) { return 'mdm' }
  }
  return 'nobody'
}

# With a pattern in both, "none" is an answer; without one it is an error.
function Get-PatchTask {
  return @(Get-ScheduledTask -TaskName "$taskName*" -TaskPath "$taskPath*" | Select-Object -First 1)
}
