// The account of archive and state. Custom Vision and the Functions host have no role
// on it.
param name string
param location string
param tags object
param archiveContainerName string
param stateContainerName string

@description('Empty: no queue.')
param eventsQueueName string

@description('Empty: no container.')
param holdOutContainerName string

@description('Who adds to the archive and keeps the state: the app, and the person.')
param principals { id: string, type: 'Group' | 'ServicePrincipal' | 'User' }[]

@description('Whether they add by a role of its own, which deletes nothing.')
param ownRole bool

@description('0: no policy.')
param immutableDays int

@description('0: never.')
param coolAfterDays int

var roles = loadJsonContent('roles.json')
var blobContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Contributor'])
var groupId = resourceGroup().id
var archiveRoleId = guid(groupId, 'Visionkeeper archive')

// The app writes health.json with each sweep, and each write makes a version. No
// version of the state is needed for long.
var forgetVersions = {
  name: 'forget-versions-of-the-state'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
      ]
      prefixMatch: [
        '${stateContainerName}/'
      ]
    }
    actions: {
      version: {
        delete: {
          daysAfterCreationGreaterThan: 7
        }
      }
    }
  }
}

var coolDown = {
  name: 'cool-tier-of-the-archive'
  enabled: true
  type: 'Lifecycle'
  definition: {
    filters: {
      blobTypes: [
        'blockBlob'
      ]
      prefixMatch: [
        '${archiveContainerName}/'
      ]
    }
    actions: {
      baseBlob: {
        tierToCool: {
          daysAfterModificationGreaterThan: coolAfterDays
        }
      }
    }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: 30
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 30
    }
  }
}

resource archive 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: archiveContainerName
}

resource state 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: stateContainerName
}

// Not locked: locking can't be undone, so a person does it (docs/set-up.md).
resource immutable 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2023-05-01' = if (immutableDays > 0) {
  parent: archive
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutableDays
    allowProtectedAppendWrites: false
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: coolAfterDays > 0
        ? [
            forgetVersions
            coolDown
          ]
        : [
            forgetVersions
          ]
    }
  }
  dependsOn: [
    blobs
  ]
}

// As docs/set-up.md has it. The name of a role must be the only one in the directory.
resource archiveRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (ownRole) {
  name: archiveRoleId
  properties: {
    roleName: 'Visionkeeper archive (${resourceGroup().name})'
    description: 'Read, list and write blobs. Delete neither blobs nor containers.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'
        ]
      }
    ]
    assignableScopes: [
      groupId
    ]
  }
}

resource adds 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(archive.id, principal.id, ownRole ? archiveRoleId : roles['Storage Blob Data Contributor'])
    scope: archive
    properties: {
      roleDefinitionId: ownRole ? subscriptionResourceId('Microsoft.Authorization/roleDefinitions', archiveRoleId) : blobContributor
      principalId: principal.id
      principalType: principal.type
    }
    dependsOn: [
      archiveRole
    ]
  }
]

resource remembers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(state.id, principal.id, roles['Storage Blob Data Contributor'])
    scope: state
    properties: {
      roleDefinitionId: blobContributor
      principalId: principal.id
      principalType: principal.type
    }
  }
]

// Pictures by which models are measured. Nothing of the app writes there.
resource holdOut 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = if (!empty(holdOutContainerName)) {
  parent: blobs
  name: holdOutContainerName
}

resource measures 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in empty(holdOutContainerName) ? [] : principals: {
    name: guid(holdOut.id, principal.id, roles['Storage Blob Data Reader'])
    scope: holdOut
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Reader'])
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource events 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = if (!empty(eventsQueueName)) {
  parent: queues
  name: eventsQueueName
}

resource tells 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in empty(eventsQueueName) ? [] : principals: {
    name: guid(events.id, principal.id, roles['Storage Queue Data Contributor'])
    scope: events
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Queue Data Contributor'])
      principalId: principal.id
      principalType: principal.type
    }
  }
]

output blobUri string = account.properties.primaryEndpoints.blob
output queueUri string = account.properties.primaryEndpoints.queue
