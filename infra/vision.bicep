// A training resource of Custom Vision, with the subdomain that tokens need and the
// identity as which it writes to storage.
param name string
param location string
param tags object

resource vision 'Microsoft.CognitiveServices/accounts@2024-10-01' = {
  name: name
  location: location
  tags: tags
  kind: 'CustomVision.Training'
  sku: {
    name: 'S0'
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    customSubDomainName: name
    publicNetworkAccess: 'Enabled'
    // The app uses no key of this resource. It stays possible all the same, because
    // Microsoft's own clients for Custom Vision know nothing else.
    disableLocalAuth: false
  }
}
