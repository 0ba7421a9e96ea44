package storage

import (
	"errors"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/remedy"
)

func TestEveryRefusalHasARemedyOfItsOwn(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, c := range []struct {
		status  int
		code    string
		why, do string // what each must have
	}{
		{403, "KeyBasedAuthenticationNotPermitted", "takes no keys", "CustomVisionStorage__accountName"},
		{403, "AuthorizationPermissionMismatch", "lacks the role", "Storage Blob Data Contributor"},
		{403, "AuthorizationFailure", "firewall", "allow this network"},
		{403, "AuthorizationSourceIPMismatch", "this machine's address", "az storage account network-rule add --account-name ACCOUNT --ip-address ADDRESS"},
		{403, "AuthorizationProtocolMismatch", "https only", "DefaultEndpointsProtocol=https"},
		{401, "InvalidAuthenticationInfo", "another tenant", "az login --tenant TENANT"},
		{401, "NoAuthenticationInformation", "without its signature", "HTTPS_PROXY"},
		{403, "AccountIsDisabled", "subscription is disabled", "az account list --all --output table"},
		{409, "PublicAccessNotPermitted", "no public access", "leave public access off"},
		{404, "ContainerNotFound", "not there", "visionkeeper connect --create-storage"},
		{404, "QueueNotFound", "not there", "visionkeeper connect --create-storage"},
		{403, "AuthenticationFailed", "key or the token", "clock"},
		{503, "ServerBusy", "503 ServerBusy", "in a minute"},
		{429, "", "429", "in a minute"},
		{400, "InvalidInput", "400 InvalidInput", ""},
	} {
		tested[c.code] = true
		err := Explain("list the container", &azcore.ResponseError{StatusCode: c.status, ErrorCode: c.code})
		why, do := remedy.Of(err)
		assert.Contains(t, why, "list the container: storage answered")
		assert.Contains(t, why, c.why)
		assert.Contains(t, do, c.do)
		assert.Equal(t, c.do == "", do == "", c.code)
		if _, lasting := refusals[c.code]; lasting {
			assert.Contains(t, err.Error(), ": "+do, "the log has it too")
		}
	}
	others := map[string]string{}
	for code, a := range refusals {
		assert.True(t, tested[code], code)
		if code != "QueueNotFound" { // as with a container
			assert.Empty(t, others[a.do], code)
			others[a.do] = code
		}
	}
}

func TestWhereNoAnswerCameThatIsSaid(t *testing.T) {
	t.Parallel()
	why, do := remedy.Of(Explain("list the container", &url.Error{Op: "Get", URL: "https://h/?sig=s", Err: errors.New("dial tcp: no such host")}))
	assert.Equal(t, "list the container: no answer came from the storage account: dial tcp: no such host", why)
	assert.Contains(t, do, "account's name")

	why, do = remedy.Of(Explain("copy X", errors.New("the source changed meanwhile")))
	assert.Equal(t, "copy X: the source changed meanwhile", why, "it was answered")
	assert.Empty(t, do)

	why, do = remedy.Of(Explain("list the container", remedy.New("create it", "there is none")))
	require.Equal(t, "list the container: there is none", why, "an error that knows its remedy keeps it")
	assert.Equal(t, "create it", do)
}
