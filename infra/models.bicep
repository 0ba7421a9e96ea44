// The account into which Custom Vision writes: messages and exported models.
param name string
param location string
param tags object
param queueName string
param containerName string

@description('Object id of the training resource\'s identity.')
param visionPrincipalId string

@description('Who reads models and messages: the app, and the person.')
param principals { id: string, type: 'Group' | 'ServicePrincipal' | 'User' }[]

var roles = loadJsonContent('roles.json')
var queueContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Queue Data Contributor'])

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

// Custom Vision writes two flavors of a platform under one name: versions keep both.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: containerName
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queues
  name: queueName
}

resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queues
  name: '${queueName}-poison'
}

// Custom Vision: the one queue, the one container, nothing else.

resource visionTells 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(queue.id, visionPrincipalId, roles['Storage Queue Data Contributor'])
  scope: queue
  properties: {
    roleDefinitionId: queueContributor
    principalId: visionPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource visionWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(container.id, visionPrincipalId, roles['Storage Blob Data Contributor'])
  scope: container
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Contributor'])
    principalId: visionPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: takes messages, reads models, and signs what the storage service copies.

resource takes 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(queue.id, principal.id, roles['Storage Queue Data Contributor'])
    scope: queue
    properties: {
      roleDefinitionId: queueContributor
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource takesPoison 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(poison.id, principal.id, roles['Storage Queue Data Contributor'])
    scope: poison
    properties: {
      roleDefinitionId: queueContributor
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(container.id, principal.id, roles['Storage Blob Data Reader'])
    scope: container
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Reader'])
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource signs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(account.id, principal.id, roles['Storage Blob Delegator'])
    scope: account
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Delegator'])
      principalId: principal.id
      principalType: principal.type
    }
  }
]

output name string = account.name
output blobUri string = account.properties.primaryEndpoints.blob
output queueUri string = account.properties.primaryEndpoints.queue
