# Task Scheduler. `tasks` of the state: list of { path, name, execute, arguments, at (ISO or null), user, level, state, lastRun,
# lastResult }. A task that is due or started runs a program that an area registers.

$script:Programs = @{}
function Register-LabProgram([string]$Name, [scriptblock]$Action) { $script:Programs[$Name.ToLowerInvariant()] = $Action }

function Find-LabTasks([string[]]$TaskName, [string[]]$TaskPath) {
  foreach ($task in (Get-LabSection tasks)) {
    if ($TaskName -and -not @($TaskName | Where-Object { $task['name'] -like $_ })) { continue }
    if ($TaskPath -and -not @($TaskPath | Where-Object { $task['path'] -like $_ })) { continue }
    $task
  }
}

# The CIM cmdlets' error for a name without a wildcard that nothing bears.
function Assert-LabTask($Tasks, [string]$Name) {
  if (@($Tasks).Count -eq 0 -and $Name -notmatch '[*?]') { Stop-Lab -Id "CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask" -HResult 0x80041002 -Category ObjectNotFound }
}

function Invoke-LabTask($Task) {
  $program = ($Task['execute'] -split '[\\/]')[-1].ToLowerInvariant()
  $Task['lastRun'] = (Get-Lab)['now']
  $action = $script:Programs[$program]
  # 0x80070002: the file was not found.
  $Task['lastResult'] = if ($null -eq $action) { 2147942402 } else { [long](& $action $Task['arguments']) }
}

function New-ScheduledTaskAction {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$Execute, [string]$Argument, [string]$WorkingDirectory, [string]$Id)
  [pscustomobject]@{ execute = $Execute; arguments = $Argument }
}

function New-ScheduledTaskTrigger {
  [CmdletBinding()]
  param([switch]$Once, [Parameter(Mandatory)][DateTime]$At)
  if (-not $Once) { throw 'the lab knows triggers of -Once only' }
  [pscustomobject]@{ at = $At.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture) }
}

function New-ScheduledTaskPrincipal {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$UserId, [ValidateSet('None', 'Password', 'S4U', 'Interactive', 'Group', 'ServiceAccount', 'InteractiveOrPassword')][string]$LogonType, [ValidateSet('Limited', 'Highest')][string]$RunLevel)
  [pscustomobject]@{ user = $UserId; level = $RunLevel }
}

function New-ScheduledTaskSettingsSet {
  [CmdletBinding()]
  param(
    [TimeSpan]$ExecutionTimeLimit, [ValidateSet('Parallel', 'Queue', 'IgnoreNew')][string]$MultipleInstances, [int]$Priority,
    [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries, [switch]$StartWhenAvailable, [switch]$WakeToRun
  )
  [pscustomobject]@{ batteries = [bool]$AllowStartIfOnBatteries }
}

function Register-ScheduledTask {
  [CmdletBinding()]
  param(
    [Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\', [Parameter(Mandatory)]$Action, $Trigger, $Principal, $Settings,
    [string]$Description, [switch]$Force
  )
  Assert-LabAllowed 'Register-ScheduledTask'
  $tasks = Get-LabSection tasks
  $kept = @($tasks | Where-Object { $_['name'] -ne $TaskName -or $_['path'] -ne $TaskPath })
  # ERROR_ALREADY_EXISTS
  if ($kept.Count -ne @($tasks).Count -and -not $Force) { Stop-Lab -Id 'HRESULT 0x800700b7,Register-ScheduledTask' -HResult 0x800700b7 -Category ResourceExists }
  $at = if ($null -ne $Trigger) { $Trigger.at } else { $null }
  $user = if ($null -ne $Principal) { $Principal.user } else { '' }
  $level = if ($null -ne $Principal) { $Principal.level } else { 'Limited' }
  $task = [ordered]@{ path = $TaskPath; name = $TaskName; execute = $Action.execute; arguments = $Action.arguments; at = $at; user = $user; level = $level; state = 'Ready'; lastRun = $null; lastResult = 267011 }
  (Get-Lab)['tasks'] = @($kept) + @($task)
  Save-Lab
  New-LabObject MSFT_ScheduledTask @{ TaskName = $TaskName; TaskPath = $TaskPath; State = 'Ready' }
}

function Get-ScheduledTask {
  [CmdletBinding()]
  param([string[]]$TaskName, [string[]]$TaskPath)
  $found = @(Find-LabTasks $TaskName $TaskPath)
  if ($TaskName) { Assert-LabTask $found $TaskName[0] }
  foreach ($task in $found) { New-LabObject MSFT_ScheduledTask @{ TaskName = $task['name']; TaskPath = $task['path']; State = $task['state'] } }
}

function Get-ScheduledTaskInfo {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\')
  $found = @(Find-LabTasks $TaskName $TaskPath)
  Assert-LabTask $found $TaskName
  foreach ($task in $found) {
    New-LabObject MSFT_TaskDynamicInfo @{ TaskName = $task['name']; TaskPath = $task['path']; LastRunTime = $task['lastRun']; LastTaskResult = $task['lastResult'] }
  }
}

function Start-ScheduledTask {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\')
  $found = @(Find-LabTasks $TaskName $TaskPath)
  Assert-LabTask $found $TaskName
  foreach ($task in $found) { Invoke-LabTask $task }
  Save-Lab
}

function Stop-ScheduledTask {
  [CmdletBinding()]
  param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\')
  $found = @(Find-LabTasks $TaskName $TaskPath)
  Assert-LabTask $found $TaskName
  foreach ($task in $found) { $task['state'] = 'Ready' }
  Save-Lab
}

function Unregister-ScheduledTask {
  [CmdletBinding(SupportsShouldProcess)]
  param([Parameter(Mandatory)][string]$TaskName, [string]$TaskPath = '\')
  $found = @(Find-LabTasks $TaskName $TaskPath)
  Assert-LabTask $found $TaskName
  (Get-Lab)['tasks'] = @((Get-LabSection tasks) | Where-Object { $_ -notin $found })
  Save-Lab
}

# What is due runs once; its trigger is then spent.
$script:OnTime += {
  if (-not (Get-Lab).ContainsKey('tasks')) { return }
  foreach ($task in @((Get-Lab)['tasks'])) {
    if ($null -eq $task['at'] -or (ConvertTo-LabTime $task['at']) -gt (Get-LabNow)) { continue }
    $task['at'] = $null
    Invoke-LabTask $task
  }
}
