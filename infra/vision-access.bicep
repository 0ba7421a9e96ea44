// Who may work with the training resource, which may be in a group of its own.
param name string

@description('Who works with it: the app, and the person.')
param principals { id: string, type: 'Group' | 'ServicePrincipal' | 'User' }[]

var roles = loadJsonContent('roles.json')

resource vision 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = {
  name: name
}

// May train and export models and change projects, but neither create nor delete them.
resource trains 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principals: {
    name: guid(vision.id, principal.id, roles['Cognitive Services Custom Vision Trainer'])
    scope: vision
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Cognitive Services Custom Vision Trainer'])
      principalId: principal.id
      principalType: principal.type
    }
  }
]

output endpoint string = vision.properties.endpoint
output principalId string = vision.identity.principalId
