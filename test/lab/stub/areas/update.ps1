# The Windows Update Agent (`wua` of the state: {updates, last_search, last_install, search_denied, fails, reboot_first}) and the
# Task Scheduler (`tasks`: what is registered; `task_runs`: "at_once", "never_ends", "dies" or "tampered").
#
# An update: {id, severity, published, categories, hidden, interactive, eula, waits, reboot, known, installed}. `known: false`:
# published since the last search, so that only an online search finds it.
#
# Downloading and installing are refused to a remote logon, as Microsoft documents; the lab's account is one, unless a task runs.

$script:IsTask = $env:LAB_TASK -eq '1'

function Add-LabMethod($Object, [string]$Class, [string]$Name, [scriptblock]$Body) {
  if (@($script:Documented.classes[$Class]['methods']) -notcontains $Name) { throw "$Class has no method $Name" }
  $Object.PSObject.Methods.Add([psscriptmethod]::new($Name, $Body))
}

# A property that a script may set.
function Set-LabWritable($Object, [string]$Name) {
  if ($null -eq $Object.PSObject.Properties[$Name]) { return }
  $value = $Object.$Name
  $Object.PSObject.Properties.Remove($Name)
  $Object.PSObject.Properties.Add([psnoteproperty]::new($Name, $value))
}

# COM dates are UTC and do not say so.
function ConvertTo-LabComDate($Value) {
  if ($null -eq $Value) { return $null }
  [DateTime]::SpecifyKind((ConvertTo-LabTime $Value), 'Unspecified')
}

function New-LabUpdate($Update) {
  $categories = @(foreach ($id in @($Update['categories'])) { New-LabObject ICategory @{ CategoryID = $id; Name = 'Sicherheitsupdates' } })
  New-LabObject IUpdate @{
    MsrcSeverity = $Update['severity']; Categories = $categories; LastDeploymentChangeTime = ConvertTo-LabComDate $Update['published']
    IsHidden = [bool]$Update['hidden']; IsInstalled = [bool]$Update['installed']; IsDownloaded = $script:IsTask
    EulaAccepted = $Update['eula'] -ne $false; RebootRequired = [bool]$Update['waits']; Title = 'Sicherheitsupdate'
    Identity = New-LabObject IUpdateIdentity @{ UpdateID = $Update['id']; RevisionNumber = 1 }
    InstallationBehavior = New-LabObject IInstallationBehavior @{ CanRequestUserInput = [bool]$Update['interactive'] }
  }
}

function New-LabCollection {
  Write-Output -InputObject ([Collections.ArrayList]::new()) -NoEnumerate
}

function New-LabSearcher {
  $searcher = New-LabObject IUpdateSearcher @{ Online = $true }
  Set-LabWritable $searcher Online
  Add-LabMethod $searcher IUpdateSearcher Search {
    param($Criteria)
    $wua = (Get-Lab)['wua']
    if ($wua['search_denied'] -and -not $script:IsTask) { throw [UnauthorizedAccessException]::new('Zugriff verweigert') }
    if ($Criteria -notlike "IsInstalled=0 and Type='Software'*") { throw "the lab does not know the criteria $Criteria" }
    $found = @($wua.updates | Where-Object {
        -not $_['installed'] -and ($this.Online -or $_['known'] -ne $false) -and ($Criteria -notlike '*IsHidden=0*' -or -not $_['hidden'])
      } | ForEach-Object { New-LabUpdate $_ })
    if ($this.Online) { $wua.last_search = (Get-Lab)['now']; Save-Lab }
    New-LabObject ISearchResult @{ ResultCode = $(if ($wua['search_code']) { $wua['search_code'] } else { 2 }); Updates = $found }
  }
  $searcher
}

# E_ACCESSDENIED (learn.microsoft.com/windows/win32/wua_sdk/using-wua-from-a-remote-computer).
function Assert-LabLocal {
  if (-not $script:IsTask) { throw [UnauthorizedAccessException]::new('Zugriff verweigert') }
}

function Install-LabUpdates($Updates) {
  $wua = (Get-Lab)['wua']
  $results = @(foreach ($update in $Updates) {
      $one = $wua.updates | Where-Object { $_.id -eq $update.Identity.UpdateID }
      $code = if (@($wua['fails']) -contains $one.id) { 4 } else { 2 }
      if ($code -eq 2) { if ($one['reboot']) { $one['waits'] = $true } else { $one['installed'] = $true } }
      New-LabObject IUpdateInstallationResult @{ ResultCode = $code; HResult = 0; RebootRequired = ($code -eq 2 -and [bool]$one['reboot']) }
    })
  $reboot = @($results | Where-Object { $_.RebootRequired }).Count -gt 0
  if ($reboot) { (Get-Lab)['registry']['HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'] = @{} }
  if (@($results | Where-Object { $_.ResultCode -eq 2 }).Count -gt 0) { $wua.last_install = (Get-Lab)['now'] }
  Save-Lab
  $done = New-LabObject IInstallationResult @{ ResultCode = 2; HResult = 0; RebootRequired = $reboot }
  Add-LabMethod $done IInstallationResult GetUpdateResult { param($Index) $results[$Index] }.GetNewClosure()
  $done
}

function New-LabDownloader {
  Assert-LabLocal
  $downloader = New-LabObject IUpdateDownloader @{}
  Set-LabWritable $downloader Updates
  Add-LabMethod $downloader IUpdateDownloader Download { New-LabObject IDownloadResult @{ ResultCode = 2; HResult = 0 } }
  $downloader
}

function New-LabInstaller {
  Assert-LabLocal
  $installer = New-LabObject IUpdateInstaller @{ RebootRequiredBeforeInstallation = [bool](Get-Lab)['wua']['reboot_first'] }
  Set-LabWritable $installer Updates
  Add-LabMethod $installer IUpdateInstaller Install { Install-LabUpdates $this.Updates }
  $installer
}

# Everything that is not a COM class of Windows Update goes to the real cmdlet.
function New-Object {
  [CmdletBinding()]
  param([Parameter(Position = 0)][string]$TypeName, [Parameter(Position = 1)][object[]]$ArgumentList, [string]$ComObject)
  if (-not $ComObject) { return Microsoft.PowerShell.Utility\New-Object @PSBoundParameters }
  Assert-LabAllowed $ComObject
  if ($null -eq (Get-Lab)['wua']) { throw [Runtime.InteropServices.COMException]::new('', 0x80040154) }
  switch ($ComObject) {
    'Microsoft.Update.Session' {
      $session = New-LabObject IUpdateSession @{}
      Add-LabMethod $session IUpdateSession CreateUpdateSearcher { New-LabSearcher }
      Add-LabMethod $session IUpdateSession CreateUpdateDownloader { New-LabDownloader }
      Add-LabMethod $session IUpdateSession CreateUpdateInstaller { New-LabInstaller }
      return $session
    }
    'Microsoft.Update.AutoUpdate' {
      $wua = (Get-Lab)['wua']
      $results = New-LabObject IAutomaticUpdatesResults @{
        LastSearchSuccessDate = ConvertTo-LabComDate $wua['last_search']; LastInstallationSuccessDate = ConvertTo-LabComDate $wua['last_install']
      }
      return New-LabObject IAutomaticUpdates2 @{ Results = $results }
    }
    'Microsoft.Update.UpdateColl' { return New-LabCollection }
    default { throw [Runtime.InteropServices.COMException]::new('', 0x80040154) }
  }
}

# ---- Task Scheduler ----------------------------------------------------------------------------------------------------------

# What a task would run holds a number that differs each time, so it is remembered here and never written into the state.
$script:TaskArguments = @{}

function New-ScheduledTaskAction { [CmdletBinding()] param([Parameter(Mandatory)][string]$Execute, [string]$Argument) New-LabObject MSFT_TaskExecAction @{ Execute = $Execute; Arguments = $Argument } }
function New-ScheduledTaskPrincipal { [CmdletBinding()] param([Parameter(Mandatory)][string]$UserId, [string]$LogonType, [string]$RunLevel) New-LabObject MSFT_TaskPrincipal @{ UserId = $UserId; LogonType = $LogonType; RunLevel = $RunLevel } }
function New-ScheduledTaskSettingsSet {
  [CmdletBinding()]
  param([TimeSpan]$ExecutionTimeLimit, [string]$MultipleInstances, [int]$Priority, [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries)
  New-LabObject MSFT_TaskSettings @{ ExecutionTimeLimit = [Xml.XmlConvert]::ToString($ExecutionTimeLimit); MultipleInstances = $MultipleInstances; Priority = $Priority }
}

function Register-ScheduledTask {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\', [Parameter(Mandatory)]$Action, $Principal, $Settings, [switch]$Force)
  $tasks = Get-LabSection tasks
  Assert-LabAllowed Register-ScheduledTask
  if ($Principal.UserId -ne 'S-1-5-18') { throw 'the task does not run as SYSTEM, named by its SID' }
  if (-not $Settings.ExecutionTimeLimit) { throw 'the task has no time limit' }
  $tasks[$TaskPath + $TaskName] = @{ State = 'Ready'; UserId = $Principal.UserId; Execute = $Action.Execute; ExecutionTimeLimit = $Settings.ExecutionTimeLimit }
  $script:TaskArguments[$TaskPath + $TaskName] = $Action.Arguments
  Save-Lab
}

# A name or a path without a pattern that finds nothing is an error; with one it is nothing.
function Get-ScheduledTask {
  [CmdletBinding()] param([string[]]$TaskName = @('*'), [string[]]$TaskPath = @('*'))
  $tasks = Get-LabSection tasks
  $found = @(foreach ($full in $tasks.Keys) {
      $cut = $full.LastIndexOf('\') + 1
      if ($full.Substring($cut) -like $TaskName[0] -and $full.Substring(0, $cut) -like $TaskPath[0]) {
        New-LabObject MSFT_ScheduledTask @{ TaskName = $full.Substring($cut); TaskPath = $full.Substring(0, $cut); State = $tasks[$full].State }
      }
    })
  if ($found.Count -eq 0 -and ($TaskName[0] + $TaskPath[0]) -notmatch '[*?]') {
    Stop-Lab -Id 'CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask' -HResult 0x80131500 -Category ObjectNotFound
  }
  $found
}

# The task's own command line, in a PowerShell of its own, with the rights of SYSTEM.
function Start-ScheduledTask {
  [CmdletBinding()] param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\')
  $full = $TaskPath + $TaskName
  $task = (Get-LabSection tasks)[$full]
  $task.State = 'Running'
  Save-Lab
  $how = (Get-Lab)['task_runs']
  if ($how -eq 'never_ends') { return }
  if ($how -ne 'dies') {
    # Somebody who got at the file between its writing and its running.
    if ($how -eq 'tampered') {
      $file = [IO.Path]::Combine($env:ProgramFiles, 'ComplianceAgent', 'Patch', 'install.ps1')
      [IO.File]::AppendAllText($file, "`n[IO.File]::WriteAllText([IO.Path]::Combine(`$env:ProgramFiles, 'owned'), 'x')`n")
    }
    if ($script:TaskArguments[$full] -notmatch '-EncodedCommand (\S+)$') { throw 'the task has no encoded command' }
    $module = Join-Path $PSScriptRoot '../lab.psm1'
    $command = "Import-Module -DisableNameChecking -Global '$($module -replace "'", "''")'`n" + [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($Matches[1]))
    $env:LAB_TASK = '1'
    try {
      # Its output goes nowhere, as that of a task does.
      $null = & ([Environment]::ProcessPath) -NoLogo -NoProfile -NonInteractive -EncodedCommand ([Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($command))) 2>&1
    } finally { $env:LAB_TASK = $null }
    # The task's process wrote the state; what this one remembers is older.
    $script:State = $null
  }
  (Get-LabSection tasks)[$full].State = 'Ready'
  Save-Lab
}

function Unregister-ScheduledTask {
  [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param([Parameter(Mandatory)][string[]]$TaskName, [string[]]$TaskPath = @('\'))
  $tasks = Get-LabSection tasks
  $full = $TaskPath[0] + $TaskName[0]
  if (-not $tasks.ContainsKey($full)) { Stop-Lab -Id 'CmdletizationQuery_NotFound_TaskName,Unregister-ScheduledTask' -HResult 0x80131500 -Category ObjectNotFound }
  $tasks.Remove($full)
  Save-Lab
}

# Who may use a folder. The state keeps what was granted: SIDs, never names.
function icacls.exe {
  $global:LASTEXITCODE = 0
  if (@($args) -contains '/grant:r') {
    (Get-Lab)['acl'] = @($args | Where-Object { "$_" -like '`**' })
    Save-Lab
  }
}
