// The function app, on the Flex Consumption plan.
param name string
param location string
param tags object

@description('Resource id and client id of the app\'s identity.')
param identityId string
param identityClientId string

param hostBlobUri string
param hostQueueUri string
param hostTableUri string

@description('Container of the published package.')
param packageUri string

param visionEndpoint string
param modelsBlobUri string
param modelsQueueUri string
param archiveBlobUri string
param archiveQueueUri string
param notificationQueue string
param modelContainer string
param archiveContainer string
param stateContainer string
param sweepSchedule string
@secure()
param heartbeatUrl string
param eventsQueue string
@secure()
param eventsWebhookUrl string
@secure()
param eventsWebhookSecret string
param eventsWebhookPrivate string
param eventsGridEndpoint string
@secure()
param eventsGridKey string
param insightsConnectionString string
param alwaysReady bool
param maximumInstanceCount int
param instanceMemory int

// Azure takes another version of this runtime, and then the app does not start and no
// error says why. So the type allows this one alone.
@description('Never another one.')
param runtime { name: 'custom', version: '1.0' } = {
  name: 'custom'
  version: '1.0'
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
          ? [
              {
                name: 'function:notifications'
                instanceCount: 1
              }
            ]
          : []
      }
      runtime: runtime
    }
  }
}

// Nobody publishes by a password.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// No key is here, and neither FUNCTIONS_WORKER_RUNTIME nor WEBSITE_RUN_FROM_PACKAGE,
// which this plan refuses.
resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__blobServiceUri: hostBlobUri
    AzureWebJobsStorage__queueServiceUri: hostQueueUri
    AzureWebJobsStorage__tableServiceUri: hostTableUri
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    CustomVisionStorage__blobServiceUri: modelsBlobUri
    CustomVisionStorage__queueServiceUri: modelsQueueUri
    CustomVisionStorage__credential: 'managedidentity'
    CustomVisionStorage__clientId: identityClientId
    ArchiveStorage__blobServiceUri: archiveBlobUri
    ArchiveStorage__queueServiceUri: archiveQueueUri
    ArchiveStorage__credential: 'managedidentity'
    ArchiveStorage__clientId: identityClientId
    CUSTOMVISION_ENDPOINT: visionEndpoint
    NOTIFICATION_QUEUE: notificationQueue
    MODEL_CONTAINER: modelContainer
    ARCHIVE_CONTAINER: archiveContainer
    STATE_CONTAINER: stateContainer
    SWEEP_SCHEDULE: sweepSchedule
    HEARTBEAT_URL: heartbeatUrl
    EVENTS_QUEUE: eventsQueue
    EVENTS_WEBHOOK_URL: eventsWebhookUrl
    EVENTS_WEBHOOK_SECRET: eventsWebhookSecret
    EVENTS_WEBHOOK_PRIVATE: eventsWebhookPrivate
    EVENTS_GRID_ENDPOINT: eventsGridEndpoint
    EVENTS_GRID_KEY: eventsGridKey
    STATUS_ACTIONS: 'on'
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  }
}

output name string = app.name
output runtime string = '${app.properties.functionAppConfig.runtime.name} ${app.properties.functionAppConfig.runtime.version}'
