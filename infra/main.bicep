// Everything that docs/set-up.md makes by hand, and what watches it: azd up, or
//   az deployment sub create --location PLACE --template-file infra/main.bicep \
//     --parameters environmentName=NAME location=PLACE
targetScope = 'subscription'

@description('Name of the environment. The resource group and all names are made of it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of all resources. It must have the Flex Consumption plan and Custom Vision.')
@minLength(1)
param location string

@description('Object id of the person who works with the verbs; azd gives it. The person gets the roles that the app has. Empty: nobody does.')
param principalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param principalType string = 'User'

@description('Name of a Custom Vision training resource that exists, with a subdomain and a system-assigned identity. Empty: one is made.')
param visionName string = ''

@description('Resource group of visionName. Empty: the group of everything else.')
param visionGroup string = ''

@description('Address to which alarms are sent. Empty: they are shown in the portal alone.')
param alertEmail string = ''

@description('A URL that is asked after every whole round of sweeps. Who knows it can ask it too.')
@secure()
param heartbeatUrl string = ''

@description('Name of a queue of the archive\'s account on which the app tells what happened. Empty: none.')
param eventsQueue string = ''

@description('Name of a container of the archive\'s account for the pictures of hold-out sets, by which the gate of a promotion measures. Empty: none.')
param holdOutContainer string = ''

@description('A URL to which the app posts what happened, the secret by which that is signed, and true where the URL may lead to private addresses.')
@secure()
param eventsWebhookUrl string = ''
@secure()
param eventsWebhookSecret string = ''
param eventsWebhookPrivate string = ''

@description('Endpoint of a custom topic of Event Grid that takes CloudEvents, and one of its keys. Without a key the app\'s identity is used, which needs the role EventGrid Data Sender on the topic.')
param eventsGridEndpoint string = ''
@secure()
param eventsGridKey string = ''

@description('When the app sweeps: six NCRONTAB fields. Empty: every 15 minutes.')
param sweepSchedule string = ''

@description('Days for which nothing in the archive can be changed or deleted, by a policy that is not locked. 0: no policy.')
@minValue(0)
@maxValue(146000)
param immutableDays int = 0

@description('Days after which what is in the archive moves to the cool tier. 0: never.')
@minValue(0)
param coolAfterDays int = 0

@description('Whether one instance always stands ready for messages. It costs money all the time.')
param alwaysReady bool = false

// The lowest is 1. Whether that is for each function or for all together is told in two
// ways, and each of the three needs an instance: so 3.
@description('Most instances. 3 is enough.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 3

@description('Memory of an instance, in MB. 512 is enough.')
@allowed([
  512
  2048
  4096
])
param instanceMemory int = 512

@description('Whether the app may add to the archive by a role of its own, which deletes nothing. It takes the role Owner or User Access Administrator to make it. false: Storage Blob Data Contributor.')
param archiveRole bool = true

var token = toLower(uniqueString(subscription().id, environmentName, location))
var groupName = 'rg-${environmentName}'
var tags = {
  'azd-env-name': environmentName
}
var newVision = empty(visionName)
var visionResource = newVision ? 'vision-${token}' : visionName

var schedule = empty(sweepSchedule) ? '0 */15 * * * *' : sweepSchedule

var notificationQueue = 'customvision-notifications'
var modelContainer = 'models'
var archiveContainer = 'archive'
var stateContainer = 'state'

// Who works with models and archive: the app, and the person if there is one.
var principals = concat(
  [
    {
      id: identity.outputs.principalId
      type: 'ServicePrincipal'
    }
  ],
  empty(principalId)
    ? []
    : [
        {
          id: principalId
          type: principalType
        }
      ]
)

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'visionkeeper-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: 'visionkeeper-${token}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
  }
}

module vision 'vision.bicep' = if (newVision) {
  name: 'vision'
  scope: group
  params: {
    name: visionResource
    location: location
    tags: tags
  }
}

module visionAccess 'vision-access.bicep' = {
  name: 'vision-access'
  scope: resourceGroup(empty(visionGroup) || newVision ? groupName : visionGroup)
  params: {
    name: visionResource
    principals: principals
  }
  dependsOn: [
    group
    vision
  ]
}

module models 'models.bicep' = {
  name: 'models'
  scope: group
  params: {
    name: 'models${token}'
    location: location
    tags: tags
    queueName: notificationQueue
    containerName: modelContainer
    visionPrincipalId: visionAccess.outputs.principalId
    principals: principals
  }
}

module archive 'archive.bicep' = {
  name: 'archive'
  scope: group
  params: {
    name: 'archive${token}'
    location: location
    tags: tags
    archiveContainerName: archiveContainer
    stateContainerName: stateContainer
    eventsQueueName: eventsQueue
    holdOutContainerName: holdOutContainer
    principals: principals
    ownRole: archiveRole
    immutableDays: immutableDays
    coolAfterDays: coolAfterDays
  }
}

module hosting 'hosting.bicep' = {
  name: 'hosting'
  scope: group
  params: {
    name: 'hosting${token}'
    location: location
    tags: tags
    principals: principals
    appPrincipalId: identity.outputs.principalId
  }
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: 'visionkeeper-${token}'
    location: location
    tags: union(tags, {
      'azd-service-name': 'app'
    })
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostBlobUri: hosting.outputs.blobUri
    hostQueueUri: hosting.outputs.queueUri
    hostTableUri: hosting.outputs.tableUri
    packageUri: hosting.outputs.packageUri
    visionEndpoint: visionAccess.outputs.endpoint
    modelsBlobUri: models.outputs.blobUri
    modelsQueueUri: models.outputs.queueUri
    archiveBlobUri: archive.outputs.blobUri
    archiveQueueUri: archive.outputs.queueUri
    notificationQueue: notificationQueue
    modelContainer: modelContainer
    archiveContainer: archiveContainer
    stateContainer: stateContainer
    sweepSchedule: schedule
    heartbeatUrl: heartbeatUrl
    eventsQueue: eventsQueue
    eventsWebhookUrl: eventsWebhookUrl
    eventsWebhookSecret: eventsWebhookSecret
    eventsWebhookPrivate: eventsWebhookPrivate
    eventsGridEndpoint: eventsGridEndpoint
    eventsGridKey: eventsGridKey
    insightsConnectionString: monitoring.outputs.connectionString
    alwaysReady: alwaysReady
    maximumInstanceCount: maximumInstanceCount
    instanceMemory: instanceMemory
  }
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    email: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    appName: app.outputs.name
    modelsAccountName: models.outputs.name
  }
}

// What azd keeps for its own commands.
output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_APP_NAME string = app.outputs.name
output SERVICE_APP_RUNTIME string = app.outputs.runtime

// The settings by which the verbs find everything from your machine, with your own
// sign-in. azd gives them to its hooks, and shows them by `azd env get-values`.
output CUSTOMVISION_ENDPOINT string = visionAccess.outputs.endpoint
output CustomVisionStorage__blobServiceUri string = models.outputs.blobUri
output CustomVisionStorage__queueServiceUri string = models.outputs.queueUri
output ArchiveStorage__blobServiceUri string = archive.outputs.blobUri
output ArchiveStorage__queueServiceUri string = archive.outputs.queueUri
output AzureWebJobsStorage__blobServiceUri string = hosting.outputs.blobUri
output NOTIFICATION_QUEUE string = notificationQueue
output MODEL_CONTAINER string = modelContainer
output ARCHIVE_CONTAINER string = archiveContainer
output STATE_CONTAINER string = stateContainer
output SWEEP_SCHEDULE string = schedule
