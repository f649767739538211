# The simulated Windows machine's cmdlets: their core. One JSON object is the machine's whole state; areas/*.ps1 hold the
# cmdlets, documented/*.json what Microsoft's pages say of them. What a page lacks, a stub refuses. PowerShell 7 only.
#
# Environment: LAB_STATE (file of the state), LAB_AREAS (comma-separated names), LAB_TRACE (optional: file that gets one line
# for each property that is read).

$script:Documented = @{ commands = @{}; classes = @{}; registry = @{}; enums = @{} }
$script:State = $null
$script:CimSources = @{}
$script:CimMethods = @{}
$script:CimProviders = @{}

# ---- state ----------------------------------------------------------------------------------------------------------------

function Get-Lab {
  if ($null -eq $script:State) {
    $text = [IO.File]::ReadAllText($env:LAB_STATE)
    $arguments = @{ InputObject = $text; AsHashtable = $true; Depth = 64 }
    # PowerShell 7.4 has no DateKind and makes DateTimes of ISO strings; both are understood below.
    if ((Get-Command Microsoft.PowerShell.Utility\ConvertFrom-Json).Parameters.ContainsKey('DateKind')) { $arguments.DateKind = 'String' }
    $script:State = Microsoft.PowerShell.Utility\ConvertFrom-Json @arguments
  }
  # Not unrolled: an empty section is a section.
  Write-Output -InputObject $script:State -NoEnumerate
}

# Writes the state at once, so that a run that is killed leaves what it did.
function Save-Lab {
  $text = Microsoft.PowerShell.Utility\ConvertTo-Json -InputObject (Get-Lab) -Depth 64 -Compress
  [IO.File]::WriteAllText($env:LAB_STATE, $text)
}

# A part of the state. Where it is absent, the machine lacks the feature: the calling cmdlet is not there.
function Get-LabSection([Parameter(Mandatory)][string]$Name) {
  $lab = Get-Lab
  if (-not $lab.ContainsKey($Name)) {
    $caller = (Get-PSCallStack)[1].FunctionName
    $failure = [Management.Automation.CommandNotFoundException]::new("The term '$caller' is not recognized")
    throw [Management.Automation.ErrorRecord]::new($failure, 'CommandNotFoundException', 'ObjectNotFound', $caller)
  }
  Write-Output -InputObject $lab[$Name] -NoEnumerate
}

# The machine's clock, in UTC. `now` of the state is an ISO string.
function Get-LabNow { ConvertTo-LabTime (Get-Lab)['now'] }

function ConvertTo-LabTime($Value) {
  if ($Value -is [DateTime]) { return $Value.ToUniversalTime() }
  [DateTime]::Parse([string]$Value, [Globalization.CultureInfo]::InvariantCulture, 'AdjustToUniversal, AssumeUniversal')
}

# Ends the calling cmdlet as Windows would: with a number and a category, in whatever language.
function Stop-Lab([string]$Id, [int]$HResult, [string]$Category = 'NotSpecified', [string]$Message = 'Zugriff verweigert', [Exception]$Exception = $null) {
  if ($null -eq $Exception) { $Exception = [Runtime.InteropServices.COMException]::new($Message, $HResult) }
  throw [Management.Automation.ErrorRecord]::new($Exception, $Id, $Category, $null)
}

# `denied` of the state names commands, CIM classes and registry paths that the account may not use.
function Assert-LabAllowed([string]$What) {
  if (@((Get-Lab)['denied']) -contains $What) {
    Stop-Lab -Id 'HRESULT 0x80070005' -HResult 0x80070005 -Category PermissionDenied
  }
}

# ---- what is documented ------------------------------------------------------------------------------------------------------

function Read-LabDocumented([string]$Area) {
  $path = Join-Path $PSScriptRoot "documented/$Area.json"
  $read = Microsoft.PowerShell.Utility\ConvertFrom-Json -AsHashtable -InputObject ([IO.File]::ReadAllText($path))
  foreach ($kind in @('commands', 'classes', 'registry', 'enums')) {
    if (-not $read.ContainsKey($kind)) { continue }
    foreach ($name in @($read[$kind].Keys)) {
      if ([string]::IsNullOrEmpty($read[$kind][$name]['page'])) { throw "documented/$Area.json: $kind $name cites no page" }
      $script:Documented[$kind][$name] = $read[$kind][$name]
    }
  }
}

# Refuses a stub whose parameters its page lacks.
function Assert-LabCommand([string]$Name) {
  $page = $script:Documented.commands[$Name]
  if ($null -eq $page) { throw "the stub $Name is documented nowhere" }
  if (-not $page.ContainsKey('parameters')) { return }
  $common = [Management.Automation.PSCmdlet]::CommonParameters + [Management.Automation.PSCmdlet]::OptionalCommonParameters
  foreach ($parameter in (Get-Command -Name $Name -CommandType Function).Parameters.Keys) {
    if ($common -notcontains $parameter -and @($page.parameters) -notcontains $parameter) {
      throw "the stub $Name has the parameter $parameter, which $($page.page) lacks"
    }
  }
}

function ConvertTo-LabValue([string]$Type, $Value, [string]$Where) {
  if ($null -eq $Value) { return $null }
  if ($Type -match '^(.+)\[\]$') {
    $element = $Matches[1]
    $list = @(foreach ($item in @($Value)) { ConvertTo-LabValue $element $item $Where })
    return , $list
  }
  if ($Type -like 'enum:*') {
    $enum = $script:Documented.enums[$Type.Substring(5)]
    if ($null -eq $enum) { throw "the type $Type of $Where is documented nowhere" }
    # The cmdlets give enumerations, whose names are the same in every language: scripts compare names.
    if (@($enum.values) -cnotcontains [string]$Value) { throw "$Where cannot be '$Value'" }
    return [string]$Value
  }
  switch ($Type) {
    'string' { return [string]$Value }
    'guid' { return [guid]$Value }
    'boolean' { if ($Value -isnot [bool]) { throw "$Where is no boolean" }; return $Value }
    'datetime' { return (ConvertTo-LabTime $Value).ToLocalTime() }
    'timespan' { return [TimeSpan]::FromSeconds([double]$Value) }
    'byte' { return [byte]$Value }
    'int16' { return [int16]$Value }
    'uint16' { return [uint16]$Value }
    'int32' { return [int32]$Value }
    'uint32' { return [uint32]$Value }
    'int64' { return [int64]$Value }
    'uint64' { return [uint64]$Value }
    'double' { return [double]$Value }
    'version' { return [version]$Value }
    'object' { return $Value }
    default { throw "the type $Type of $Where is not known" }
  }
}

# An object of a documented class. Refuses a property that the page lacks. Without a property of `Values` the object has the
# property with null, as CIM has. `removed` of the state ("Class.Property") takes a property away altogether.
function New-LabObject([Parameter(Mandatory)][string]$Class, [Parameter(Mandatory)][Collections.IDictionary]$Values) {
  $documented = $script:Documented.classes[$Class]
  if ($null -eq $documented) { throw "the class $Class is documented nowhere" }
  foreach ($name in $Values.Keys) {
    if (-not $documented.properties.ContainsKey([string]$name)) { throw "$Class has no property $name ($($documented.page))" }
  }
  $removed = @((Get-Lab)['removed'])
  $object = [psobject]::new()
  $object.PSObject.TypeNames.Insert(0, $Class)
  foreach ($name in $documented.properties.Keys) {
    if ($removed -contains "$Class.$name") { continue }
    $value = ConvertTo-LabValue $documented.properties[$name] $Values[$name] "$Class.$name"
    if ($env:LAB_TRACE) {
      $kept = $value
      $getter = { [IO.File]::AppendAllText($env:LAB_TRACE, "$Class.$name`n"); Write-Output -InputObject $kept -NoEnumerate }.GetNewClosure()
      $object.PSObject.Properties.Add([psscriptproperty]::new($name, $getter))
    } else {
      $object.PSObject.Properties.Add([psnoteproperty]::new($name, $value))
    }
  }
  $object
}

# ---- CIM -----------------------------------------------------------------------------------------------------------------

# Source: a block that gets the section's hashtable(s) as $args[0] and returns hashtables, or nothing for `cim.<Class>` of the
# state. Namespace: where the class lives; asking elsewhere is an invalid class.
function Register-LabCim([string]$Class, [string]$Namespace = 'root/cimv2', [scriptblock]$Source = $null) {
  $script:CimSources[$Class] = @{ namespace = ($Namespace -replace '\\', '/').ToLowerInvariant(); source = $Source }
}
function Register-LabCimMethod([string]$Class, [string]$Method, [scriptblock]$Action) { $script:CimMethods["$Class.$Method"] = $Action }

# https://learn.microsoft.com/powershell/module/cimcmdlets/get-ciminstance
function Get-CimInstance {
  [CmdletBinding()]
  param(
    [Parameter(Position = 0)][string]$ClassName, [string]$Namespace = 'root/cimv2', [string]$Filter, [string]$Query,
    [string[]]$Property, [uint32]$OperationTimeoutSec, [switch]$KeyOnly
  )
  if ($Query) { throw 'the lab has no WQL queries: use ClassName and Filter' }
  Assert-LabAllowed $ClassName
  $registered = $script:CimSources[$ClassName]
  $wanted = ($Namespace -replace '\\', '/').ToLowerInvariant()
  $cim = (Get-Lab)['cim']
  $present = $null -ne $registered -and $registered.namespace -eq $wanted -and
    ($null -ne $registered.source -or ($null -ne $cim -and $cim.ContainsKey($ClassName)))
  if (-not $present) {
    $code = if ($script:CimSources.Values.namespace -contains $wanted) { '0x80041010' } else { '0x8004100e' }
    Stop-Lab -Id "HRESULT $code,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand" -HResult ([int]$code) -Category ObjectNotFound
  }
  $rows = if ($null -ne $registered.source) { @(& $registered.source) } else { @($cim[$ClassName]) }
  foreach ($row in $rows) {
    if ($null -eq $row) { continue }
    if ($Filter -and -not (Test-LabFilter $Filter $row)) { continue }
    New-LabObject $ClassName $row
  }
}

# The WQL that the scripts use: `Name = 'value'` or `Name = number`, joined by AND. Anything else is refused.
function Test-LabFilter([string]$Filter, $Row) {
  foreach ($term in ($Filter -split '\s+AND\s+')) {
    if ($term -notmatch "^\s*(\w+)\s*(=|<>|>=|>)\s*('([^']*)'|-?\d+|TRUE|FALSE)\s*$") { throw "the lab does not know the filter: $Filter" }
    $left = $Row[$Matches[1]]
    $operator = $Matches[2]
    $right = if ($Matches.ContainsKey(4)) { $Matches[4] } elseif ($Matches[3] -match '^(TRUE|FALSE)$') { $Matches[3] -eq 'TRUE' } else { [long]$Matches[3] }
    $holds = switch ($operator) { '=' { $left -eq $right } '<>' { $left -ne $right } '>' { $left -gt $right } '>=' { $left -ge $right } }
    if (-not $holds) { return $false }
  }
  $true
}

# https://learn.microsoft.com/powershell/module/cimcmdlets/invoke-cimmethod
function Invoke-CimMethod {
  [CmdletBinding()]
  param(
    [Parameter(ValueFromPipeline)]$InputObject, [string]$ClassName, [string]$Namespace = 'root/cimv2',
    [Parameter(Mandatory, Position = 1)][string]$MethodName, [Parameter(Position = 2)][Collections.IDictionary]$Arguments, [uint32]$OperationTimeoutSec
  )
  process {
    $class = if ($ClassName) { $ClassName } else { $InputObject.PSObject.TypeNames[0] }
    Assert-LabAllowed "$class.$MethodName"
    $action = $script:CimMethods["$class.$MethodName"]
    if ($null -eq $action) { Stop-Lab -Id 'HRESULT 0x80041055' -HResult 0x80041055 -Category InvalidOperation }
    & $action $InputObject $Arguments
  }
}

# ---- registry --------------------------------------------------------------------------------------------------------------
# `registry` of the state: path → values. A path has to be in a documented registry key, a value has to be named there.

function Assert-LabRegistry([string]$Path, [string]$Name) {
  foreach ($key in $script:Documented.registry.Keys) {
    if ($Path -notlike $key) { continue }
    $values = $script:Documented.registry[$key]['values']
    if (-not $Name -or $values.ContainsKey('*') -or $values.ContainsKey($Name)) { return }
  }
  throw "no page of the lab names the registry value $Path $Name"
}

function Get-LabRegistryKey([string]$Path) {
  Assert-LabAllowed $Path
  Assert-LabRegistry $Path ''
  $registry = Get-LabSection registry
  if (-not $registry.ContainsKey($Path)) {
    $failure = [Management.Automation.ItemNotFoundException]::new("Cannot find path '$Path' because it does not exist.")
    throw [Management.Automation.ErrorRecord]::new($failure, 'PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand', 'ObjectNotFound', $Path)
  }
  Write-Output -InputObject $registry[$Path] -NoEnumerate
}

# https://learn.microsoft.com/powershell/module/microsoft.powershell.management/get-itemproperty
function Get-ItemProperty {
  [CmdletBinding()]
  param([Parameter(Position = 0)][string[]]$Path, [string[]]$LiteralPath, [Parameter(Position = 1)][string[]]$Name)
  foreach ($one in @(@($Path) + @($LiteralPath) | Where-Object { $_ })) {
    $key = Get-LabRegistryKey $one
    # As on Windows: a key without values gives nothing.
    if ($key.Count -eq 0) { continue }
    $object = [psobject]::new()
    foreach ($value in $key.Keys) {
      Assert-LabRegistry $one $value
      if ($Name -and $Name -notcontains $value) { continue }
      $object.PSObject.Properties.Add([psnoteproperty]::new($value, $key[$value]))
    }
    $object
  }
}

# https://learn.microsoft.com/powershell/module/microsoft.powershell.management/set-itemproperty
function Set-ItemProperty {
  [CmdletBinding()]
  param([string[]]$Path, [string[]]$LiteralPath, [Parameter(Mandatory)][string]$Name, [Parameter(Mandatory)]$Value, [string]$Type)
  foreach ($one in @(@($Path) + @($LiteralPath) | Where-Object { $_ })) {
    Assert-LabRegistry $one $Name
    (Get-LabRegistryKey $one)[$Name] = $Value
    Save-Lab
  }
}

# https://learn.microsoft.com/powershell/module/microsoft.powershell.management/remove-itemproperty
function Remove-ItemProperty {
  [CmdletBinding()]
  param([string[]]$Path, [string[]]$LiteralPath, [Parameter(Mandatory)][string[]]$Name)
  foreach ($one in @(@($Path) + @($LiteralPath) | Where-Object { $_ })) {
    $key = Get-LabRegistryKey $one
    foreach ($value in $Name) { $key.Remove($value) }
    Save-Lab
  }
}

# https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/get-date
function Get-Date { [CmdletBinding()] param() (Get-LabNow).ToLocalTime() }

# https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/start-sleep — the machine's clock moves on; nobody waits.
function Start-Sleep {
  [CmdletBinding()]
  param([Parameter(Position = 0)][double]$Seconds, [int]$Milliseconds)
  Step-Lab ([int][Math]::Ceiling($Seconds + $Milliseconds / 1000.0))
}

# Moves the machine's clock and lets what is due happen. Areas add what happens to $script:OnTime.
$script:OnTime = @()
function Step-Lab([int]$Seconds) {
  $lab = Get-Lab
  $lab['now'] = (Get-LabNow).AddSeconds($Seconds).ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
  foreach ($happening in $script:OnTime) { & $happening }
  Save-Lab
}

# ---- areas -----------------------------------------------------------------------------------------------------------------

Read-LabDocumented 'core'
Register-LabCim Win32_OperatingSystem
foreach ($area in @($env:LAB_AREAS -split ',' | Where-Object { $_ })) {
  Read-LabDocumented $area
  . (Join-Path $PSScriptRoot "areas/$area.ps1")
}

# A function with `-Lab` in its name is the lab's own; every other one stands for a cmdlet or a program of Windows.
$script:Stubs = @(Microsoft.PowerShell.Management\Get-ChildItem Function: |
    Where-Object { $_.ScriptBlock.Module -eq $ExecutionContext.SessionState.Module -and $_.Name -notlike '*-Lab*' } |
    ForEach-Object { $_.Name })
foreach ($stub in $script:Stubs) { Assert-LabCommand $stub }
Export-ModuleMember -Function ($script:Stubs + 'Step-Lab')
