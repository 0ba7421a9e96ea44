package settings

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"visionkeeper/internal/dotnet"
	"visionkeeper/internal/remedy"
)

// env has these settings, as if the host had put them into the environment.
func env(values map[string]string) *dotnet.Configuration {
	var list []dotnet.Setting
	for name, value := range values {
		list = append(list, dotnet.Setting{Name: name, Value: value})
	}
	return dotnet.NewConfiguration(list...)
}

func TestLoadFillsInDefaults(t *testing.T) {
	t.Parallel()
	s, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages"}))
	require.NoError(t, err)
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Models.BlobURL)
	assert.Equal(t, s.Models, s.Archives, "one account serves both unless another is named")
	assert.Equal(t, "messages", s.Queue)
	assert.Equal(t, "archive", s.ArchiveContainer)
	assert.Equal(t, 10*time.Second, s.LookInterval)
}

func TestLoadListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := Load(env(map[string]string{
		"CUSTOMVISION_ENDPOINT": "http://example.com", "ARCHIVE_CONTAINER": "My_Archive",
		"VISIONKEEPER_STUCK_AFTER": "soon", "ArchiveStorage": "AccountName=a;AccountKey=not base64!",
	}))
	require.Error(t, err)
	for _, want := range []string{"CUSTOMVISION_ENDPOINT", "CustomVisionStorage is not set", "NOTIFICATION_QUEUE is not set", "ArchiveStorage", "ARCHIVE_CONTAINER", "VISIONKEEPER_STUCK_AFTER"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "not base64!", "a key never stands in an error")
}

func TestNamesOfContainersAreThoseThatStorageTakes(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"abc": true, "a-1": true, strings.Repeat("a", 63): true, strings.Repeat("a-", 31) + "a": true,
		"ab": false, "-ab": false, "ab-": false, "a--b": false, "Abc": false, strings.Repeat("a", 64): false, strings.Repeat("a-", 32) + "a": false,
	} {
		_, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages", "ARCHIVE_CONTAINER": name}))
		assert.Equal(t, ok, err == nil, "%s: %v", name, err)
	}
}

func TestAHeartbeatIsAskedByHTTPSOrOnThisMachine(t *testing.T) {
	t.Parallel()
	values := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages"}
	without, err := Load(env(values))
	require.NoError(t, err)
	for address, ok := range map[string]bool{
		"https://hc-ping.com/0b1c-secret": true, "http://127.0.0.1:8000/0b1c-secret": true, "http://localhost/0b1c-secret": true,
		"http://hc-ping.com/0b1c-secret": false, "hc-ping.com/0b1c-secret": false, "ftp://127.0.0.1/0b1c-secret": false, "https:///0b1c-secret": false,
	} {
		values["HEARTBEAT_URL"] = address
		s, err := Load(env(values))
		if !ok {
			if assert.ErrorContains(t, err, "HEARTBEAT_URL must be an https URL", address) {
				assert.NotContains(t, err.Error(), "secret")
			}
			continue
		}
		require.NoError(t, err, address)
		assert.Equal(t, address, s.Heartbeat)
		assert.Contains(t, s.Secrets(), address)
		assert.Equal(t, without.Fingerprint(), s.Fingerprint(), "it has no say in what the app does")
	}
}

func TestActionsOnThePageAreOnUnlessTheyAreOff(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": true, "on": true, "ON": true, "off": false, "Off": false} {
		s, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages", "STATUS_ACTIONS": value}))
		require.NoError(t, err)
		assert.Equal(t, want, s.StatusActions, value)
	}
	_, err := Load(env(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages", "STATUS_ACTIONS": "no"}))
	assert.ErrorContains(t, err, "STATUS_ACTIONS", "it is not taken for on")
}

func TestTheHostsOwnAccountIsKnownAndItsKeyIsASecret(t *testing.T) {
	t.Parallel()
	values := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages",
		"AzureWebJobsStorage": "AccountName=hosts;AccountKey=aG9zdHM="}
	s, err := Load(env(values))
	require.NoError(t, err)
	assert.Equal(t, "https://hosts.blob.core.windows.net", s.Host.BlobURL)
	assert.Contains(t, s.Secrets(), "aG9zdHM=")

	values["AzureWebJobsStorage"] = "nonsense"
	s, err = Load(env(values))
	require.NoError(t, err, "the host reports that")
	assert.True(t, s.Host.IsZero())
}

func TestLoopbackNeedsEveryEndpointOnThisMachine(t *testing.T) {
	t.Parallel()
	local := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "CUSTOMVISION_ENDPOINT": "http://127.0.0.1:5000", "NOTIFICATION_QUEUE": "messages"}
	s, err := Load(env(local))
	require.NoError(t, err)
	assert.Equal(t, []string{"127.0.0.1:5000", "127.0.0.1:10000", "127.0.0.1:10000"}, s.Loopback())

	local["CUSTOMVISION_ENDPOINT"] = "https://example.cognitiveservices.azure.com"
	s, err = Load(env(local))
	require.NoError(t, err)
	assert.Empty(t, s.Loopback())
}

func TestLoadReadsSettingsInEverySpelling(t *testing.T) {
	t.Parallel()
	s, err := Load(env(map[string]string{
		"customvision_endpoint": " https://kitchen.cognitiveservices.azure.com ", "CustomVision_Key": "k", "Notification_Queue": "Messages",
		"CUSTOMCONNSTR_customvisionstorage": "UseDevelopmentStorage=true", "ARCHIVESTORAGE:ACCOUNTNAME": "archives",
	}))
	require.NoError(t, err)
	assert.Equal(t, "https://kitchen.cognitiveservices.azure.com", s.Endpoint)
	assert.Equal(t, "k", s.Key)
	assert.Equal(t, "messages", s.Queue, "the host writes it in small letters")
	assert.Equal(t, "http://127.0.0.1:10000/devstoreaccount1", s.Models.BlobURL)
	assert.Equal(t, "https://archives.blob.core.windows.net", s.Archives.BlobURL)
}

func TestAReferenceThatWasNotReplacedIsAFaultInEverySetting(t *testing.T) {
	t.Parallel()
	for _, name := range append(texts(), "CustomVisionStorage", "ArchiveStorage", "AzureWebJobsStorage", "CustomVisionStorage__accountName", "ArchiveStorage__clientId",
		"AzureWebJobsStorage__accountName", "CUSTOMVISION__clientId") {
		values := example(t)
		values[name] = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"
		if connection, _, below := strings.Cut(name, "__"); below {
			values[connection] = ""
		}
		c := env(values)
		_, err := Load(c)
		err = errors.Join(append(CheckHost(c), err)...)
		require.ErrorContains(t, err, name+" is a reference to Key Vault", name)
		assert.NotContains(t, err.Error(), "is not set")
		assert.NotContains(t, err.Error(), "vault.azure.net")
	}
}

func TestWhatIsSetOfAConnectionIsNeverPassedOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"an archive with an identity alone": {map[string]string{"ArchiveStorage__credential": "managedidentity"}, "ArchiveStorage__accountName is not set"},
		"an archive with a slip":            {map[string]string{"ArchiveStorage__acountName": "archives"}, "ArchiveStorage__acountName is no setting"},
		"an archive of queues":              {map[string]string{"ArchiveStorage__queueServiceUri": "https://archives.queue.core.windows.net"}, "ArchiveStorage__blobServiceUri is not set"},
		"models without queues":             {map[string]string{"CustomVisionStorage": "", "CustomVisionStorage__blobServiceUri": "https://models.blob.core.windows.net"}, "CustomVisionStorage__queueServiceUri"},
		"models without blobs":              {map[string]string{"CustomVisionStorage": "", "CustomVisionStorage__queueServiceUri": "https://models.queue.core.windows.net"}, "CustomVisionStorage__blobServiceUri"},
		"an identity with a slip":           {map[string]string{"CUSTOMVISION__clientID1": "c"}, "CUSTOMVISION__clientID1 is no setting"},
		"half an app registration":          {map[string]string{"CUSTOMVISION__clientId": "c", "CUSTOMVISION__clientSecret": "s"}, "CUSTOMVISION__clientSecret needs CUSTOMVISION__tenantId"},
	} {
		values := example(t)
		maps.Copy(values, c.settings)
		_, err := Load(env(values))
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestTheIdentityForCustomVision(t *testing.T) {
	t.Parallel()
	base := map[string]string{"CUSTOMVISION_ENDPOINT": "https://kitchen.cognitiveservices.azure.com", "NOTIFICATION_QUEUE": "messages"}
	of := func(more map[string]string) Settings {
		values := maps.Clone(base)
		maps.Copy(values, more)
		s, err := Load(env(values))
		require.NoError(t, err)
		return s
	}
	models := map[string]string{"CustomVisionStorage__accountName": "models", "CustomVisionStorage__credential": "managedidentity", "CustomVisionStorage__clientId": "storage"}
	s := of(models)
	assert.Same(t, s.Models.Identity().Credential, s.Identity.Credential, "that of storage")

	models["CUSTOMVISION__clientId"] = "vision"
	s = of(models)
	assert.NotEqual(t, s.Models.Identity().Fingerprint(), s.Identity.Fingerprint())
	assert.Contains(t, s.Identity.Fingerprint(), "vision")

	s = of(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true"})
	assert.NotNil(t, s.Identity.Credential, "what is found")
	s = of(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "CUSTOMVISION_KEY": "k"})
	assert.Nil(t, s.Identity.Credential, "none is needed")

	s = of(map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "CUSTOMVISION__tenantId": "t", "CUSTOMVISION__clientId": "c", "CUSTOMVISION__clientSecret": "the-secret"})
	assert.Contains(t, s.Secrets(), "the-secret")
}

func TestWhatTheHostAloneReadsIsChecked(t *testing.T) {
	t.Parallel()
	assert.Empty(t, CheckHost(env(example(t))))
	for name, c := range map[string]struct {
		settings map[string]string
		why, do  string
	}{
		"no storage":        {map[string]string{"AzureWebJobsStorage": ""}, "AzureWebJobsStorage is not set", ""},
		"no schedule":       {map[string]string{"SWEEP_SCHEDULE": ""}, "SWEEP_SCHEDULE is not set", ""},
		"words":             {map[string]string{"SWEEP_SCHEDULE": "every hour"}, "SWEEP_SCHEDULE: ", "write six fields"},
		"four fields":       {map[string]string{"SWEEP_SCHEDULE": "*/15 * * *"}, "has 4 fields", ""},
		"a tab":             {map[string]string{"SWEEP_SCHEDULE": "0 */15 *\t* * *"}, "SWEEP_SCHEDULE: ", ""},
		"a minute too many": {map[string]string{"SWEEP_SCHEDULE": "0 60 * * * *"}, "minute", ""},
		"30 February":       {map[string]string{"SWEEP_SCHEDULE": "0 0 0 30 2 *"}, "never comes", ""},
		"an account's URL":  {map[string]string{"AzureWebJobsStorage": "", "AzureWebJobsStorage__accountName": "https://x"}, "AzureWebJobsStorage__accountName", ""},
		"another cloud":     {map[string]string{"CustomVisionStorage": "", "CustomVisionStorage__accountName": "models", "CustomVisionStorage__endpointSuffix": "core.chinacloudapi.cn"}, "the Functions host takes CustomVisionStorage__accountName", ""},
	} {
		values := example(t)
		maps.Copy(values, c.settings)
		faults := CheckHost(env(values))
		require.Len(t, faults, 1, name)
		require.ErrorContains(t, faults[0], c.why, name)
		_, do := remedy.Of(faults[0])
		assert.Contains(t, do, c.do, name)
	}
	for _, schedule := range []string{"0 */15 * * * *", "*/15 * * * *", "0 0 3 * * Mon-Fri", "00:15:00"} {
		values := example(t)
		values["SWEEP_SCHEDULE"] = schedule
		assert.Empty(t, CheckHost(env(values)), schedule)
	}
	identity := example(t)
	maps.Copy(identity, map[string]string{"AzureWebJobsStorage": "", "azurewebjobsstorage:blobserviceuri": "https://host.blob.core.windows.net"})
	assert.Empty(t, CheckHost(env(identity)))
}

func TestAnotherSpellingIsNamed(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Spelled(env(example(t))))
	assert.Equal(t, []string{
		"SWEEP_SCHEDULE is read from Sweep_Schedule",
		"CUSTOMVISION_KEY is read from customvision_key",
		"AzureFunctionsJobHost__functionTimeout is read from AzureFunctionsJobHost:functiontimeout",
		"CustomVisionStorage is read from CUSTOMCONNSTR_CustomVisionStorage",
		"ArchiveStorage__accountName is read from AzureWebJobsArchiveStorage:accountName",
		"AzureWebJobsStorage is read from azurewebjobsstorage",
		"CUSTOMVISION__clientId is read from CUSTOMVISION__ClientID",
	}, Spelled(env(map[string]string{
		"customvision_key": "k", "Sweep_Schedule": "0 */15 * * * *", "CUSTOMCONNSTR_CustomVisionStorage": "x", "azurewebjobsstorage": "x",
		"AzureWebJobsArchiveStorage:accountName": "archives", "ArchiveStorage__credential": "", "NOTIFICATION_QUEUE": "n", "notification_queue": "other",
		"CUSTOMVISION__ClientID": "c", "AzureFunctionsJobHost:functiontimeout": "-1",
	})))
}

func TestSettingsThatAreAlmostTheAppsAreNamed(t *testing.T) {
	t.Parallel()
	values := example(t)
	maps.Copy(values, map[string]string{
		"CUSTOMVISON_KEY": "k", "SWEEP_SHEDULE": "x", "CustomVisonStorage__accountName": "models", "ARCHIVE_CONTAINR": "a", "EMPTY_CUSTOMVISON": "",
		"CUSTOMVISION_PREDICTION_KEY": "k", "VISIONKEEPER_STUCK": "1h", "CustomVisionStorage__accountKey": "x",
		"PATH": "/bin", "AzureWebJobsFeatureFlags": "x", "AzureWebJobs.sweep.Disabled": "1", "APPSETTING_CUSTOMVISION_KEY": "k", "AzureWebJobsStorage__tableServiceUri": "https://x", "STORAGE": "x",
	})
	slips, others := Strays(env(values))
	var found []string
	for _, err := range slips {
		why, do := remedy.Of(err)
		found = append(found, why+"; "+do)
	}
	assert.Equal(t, []string{
		"ARCHIVE_CONTAINR is no setting of the app, but ARCHIVE_CONTAINER is; rename it to ARCHIVE_CONTAINER, or take it out",
		"CUSTOMVISON_KEY is no setting of the app, but CUSTOMVISION_KEY is; rename it to CUSTOMVISION_KEY, or take it out",
		"CustomVisonStorage__accountName is no setting of the app, but CustomVisionStorage__accountName is; rename it to CustomVisionStorage__accountName, or take it out",
		"SWEEP_SHEDULE is no setting of the app, but SWEEP_SCHEDULE is; rename it to SWEEP_SCHEDULE, or take it out",
	}, found)
	assert.Equal(t, []string{"CUSTOMVISION_PREDICTION_KEY", "CustomVisionStorage__accountKey", "VISIONKEEPER_STUCK"}, others)
	slips, others = Strays(env(example(t)))
	assert.Empty(t, slips)
	assert.Empty(t, others)
}

func TestTheSettingsOfEventsGoTogether(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
	base := map[string]string{"CustomVisionStorage": "UseDevelopmentStorage=true", "NOTIFICATION_QUEUE": "messages"}
	without, err := Load(env(base))
	require.NoError(t, err)
	assert.True(t, without.Events.IsZero())
	for name, c := range map[string]struct {
		set  map[string]string
		want string // in the error; empty where there is none
	}{
		"a queue":                     {map[string]string{"EVENTS_QUEUE": "events"}, ""},
		"no name of a queue":          {map[string]string{"EVENTS_QUEUE": "My_Events"}, "EVENTS_QUEUE"},
		"the app's own":               {map[string]string{"EVENTS_QUEUE": "messages"}, "EVENTS_QUEUE is a queue of Custom Vision's notifications"},
		"the poison queue":            {map[string]string{"EVENTS_QUEUE": "messages-poison"}, "EVENTS_QUEUE is a queue of Custom Vision's notifications"},
		"an account without queues":   {map[string]string{"EVENTS_QUEUE": "events", "ArchiveStorage__blobServiceUri": "https://a.example.com/"}, "ArchiveStorage__queueServiceUri"},
		"a webhook":                   {map[string]string{"EVENTS_WEBHOOK_URL": "https://example.com/a-path", "EVENTS_WEBHOOK_SECRET": secret}, ""},
		"one without a secret":        {map[string]string{"EVENTS_WEBHOOK_URL": "https://example.com/a-path"}, "EVENTS_WEBHOOK_SECRET is not set"},
		"one with a short secret":     {map[string]string{"EVENTS_WEBHOOK_URL": "https://example.com/a-path", "EVENTS_WEBHOOK_SECRET": "whsec_c2hvcnQ="}, "EVENTS_WEBHOOK_SECRET must be"},
		"one over http":               {map[string]string{"EVENTS_WEBHOOK_URL": "http://example.com/a-path", "EVENTS_WEBHOOK_SECRET": secret, "EVENTS_WEBHOOK_PRIVATE": "true"}, "EVENTS_WEBHOOK_URL must be an https URL"},
		"one with a user":             {map[string]string{"EVENTS_WEBHOOK_URL": "https://me:pw@example.com/a-path", "EVENTS_WEBHOOK_SECRET": secret}, "EVENTS_WEBHOOK_URL must be an https URL without a user"},
		"one on this machine":         {map[string]string{"EVENTS_WEBHOOK_URL": "http://127.0.0.1:1/a-path", "EVENTS_WEBHOOK_SECRET": secret}, "set EVENTS_WEBHOOK_PRIVATE to true"},
		"one that may be":             {map[string]string{"EVENTS_WEBHOOK_URL": "http://127.0.0.1:1/a-path", "EVENTS_WEBHOOK_SECRET": secret, "EVENTS_WEBHOOK_PRIVATE": "true"}, ""},
		"neither true nor false":      {map[string]string{"EVENTS_WEBHOOK_PRIVATE": "maybe"}, "EVENTS_WEBHOOK_PRIVATE"},
		"a topic":                     {map[string]string{"EVENTS_GRID_ENDPOINT": "https://t.eventgrid.azure.net/api/events", "EVENTS_GRID_KEY": "a-key"}, ""},
		"a topic without an identity": {map[string]string{"EVENTS_GRID_ENDPOINT": "https://t.eventgrid.azure.net/api/events"}, "EVENTS_GRID_KEY is not set"},
		"a topic over http":           {map[string]string{"EVENTS_GRID_ENDPOINT": "http://t.eventgrid.azure.net/api/events", "EVENTS_GRID_KEY": "a-key"}, "EVENTS_GRID_ENDPOINT must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := maps.Clone(base)
			maps.Copy(values, c.set)
			s, err := Load(env(values))
			_, again := LoadEvents(env(values), s.Archives)
			assert.Equal(t, c.want == "" || c.set["EVENTS_QUEUE"] == "messages" || c.set["EVENTS_QUEUE"] == "messages-poison", again == nil, "%v", again)
			if c.want == "" {
				require.NoError(t, err)
				for _, name := range []string{"EVENTS_WEBHOOK_URL", "EVENTS_WEBHOOK_SECRET", "EVENTS_GRID_KEY"} {
					if c.set[name] != "" {
						assert.Contains(t, s.Secrets(), c.set[name])
					}
				}
				assert.Equal(t, without.Fingerprint(), s.Fingerprint(), "they have no say in what the app does")
				return
			}
			if assert.ErrorContains(t, err, c.want) {
				assert.NotContains(t, err.Error(), "a-path")
				assert.NotContains(t, err.Error(), "whsec_c2hvcnQ")
			}
		})
	}
}
