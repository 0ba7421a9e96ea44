// Alarms. They are made of the line "swept" that each sweep logs, and of the invocations
// that the Functions host counts.
param location string
param tags object

@description('Empty: nobody is written to.')
param email string
param workspaceId string
param appName string
param modelsAccountName string

var notify = empty(email)
  ? []
  : [
      group.id
    ]

// The fields of the sweeps' lines. The Functions host logs each line as it is.
var swept = '''
AppTraces
| where AppRoleName =~ 'APP_NAME' and Message contains '"message":"swept"'
| extend line = parse_json(extract(@'\{.*\}', 0, Message))
'''

var alarms = [
  {
    name: 'no-whole-round'
    title: 'For six hours no round of sweeps was whole'
    help: 'Look at the errors in health.json, and run visionkeeper check. If there are no sweeps at all, the Functions host ends: it may not read the queue.'
    severity: 1
    frequency: 'PT1H'
    window: 'P1D'
    query: '''
| summarize newest = max(todatetime(line.round))
| where isnull(newest) or newest < ago(6h)
'''
  }
  {
    name: 'old-unproven-export'
    title: 'An export of a model that was trained two days ago or earlier has no proven backup'
    help: 'visionkeeper status says which, and why.'
    severity: 2
    frequency: 'PT1H'
    window: 'PT6H'
    query: '''
| summarize arg_max(TimeGenerated, line)
| where toint(line.unproven) > 0 and todatetime(line.oldest) < ago(2d)
'''
  }
  {
    name: 'poison'
    title: 'Messages came to the poison queue'
    help: 'They failed sixty times. The sweep dealt with them once more; what failed again is a dead letter: visionkeeper deadletters.'
    severity: 3
    frequency: 'PT15M'
    window: 'PT1H'
    query: '''
| where toint(line.poison) > 0
'''
  }
  {
    name: 'dead-letters'
    title: 'There are more dead letters'
    help: 'visionkeeper deadletters shows them and plays them again.'
    severity: 3
    frequency: 'PT15M'
    window: 'PT1H'
    query: '''
| order by TimeGenerated asc
| extend more = toint(line.deadLetters) - prev(toint(line.deadLetters))
| where more > 0
'''
  }
]

// A message that comes before the service shows what it says fails, and comes again. So
// a few failures of notifications are nothing.
var failedQuery = '''
AppRequests
| where AppRoleName =~ 'APP_NAME' and Success == false
| summarize failures = sum(ItemCount) by OperationName
| where failures >= iff(OperationName =~ 'sweep', 3, 60)
'''

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'visionkeeper'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'visionkeeper'
    enabled: true
    emailReceivers: [
      {
        name: 'person'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource sweeps 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [
  for alarm in alarms: {
    name: alarm.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Visionkeeper: ${alarm.title}'
      description: alarm.help
      severity: alarm.severity
      enabled: true
      scopes: [
        workspaceId
      ]
      evaluationFrequency: alarm.frequency
      windowSize: alarm.window
      criteria: {
        allOf: [
          {
            query: '${replace(swept, 'APP_NAME', appName)}${alarm.query}'
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: true
      skipQueryValidation: true // the tables come with the first log line
      actions: {
        actionGroups: notify
      }
    }
  }
]

resource failed 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = {
  name: 'failed-invocations'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Visionkeeper: Invocations fail'
    description: 'Three sweeps or sixty messages in an hour. The log says why; visionkeeper check looks at everything.'
    severity: 2
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      allOf: [
        {
          query: replace(failedQuery, 'APP_NAME', appName)
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
    actions: {
      actionGroups: notify
    }
  }
}

resource modelsAccount 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: modelsAccountName
}

resource modelsQueues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' existing = {
  parent: modelsAccount
  name: 'default'
}

// Storage counts the messages of both queues together, once an hour.
resource waiting 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'messages-waiting'
  location: 'global'
  tags: tags
  properties: {
    description: 'Visionkeeper: more than a hundred messages wait in the notification queue and its poison queue. Nobody takes them.'
    severity: 2
    enabled: true
    scopes: [
      modelsQueues.id
    ]
    evaluationFrequency: 'PT1H'
    windowSize: 'PT6H'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'messages'
          metricNamespace: 'Microsoft.Storage/storageAccounts/queueServices'
          metricName: 'QueueMessageCount'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 100
        }
      ]
    }
    autoMitigate: true
    actions: empty(email)
      ? []
      : [
          {
            actionGroupId: group.id
          }
        ]
  }
}
