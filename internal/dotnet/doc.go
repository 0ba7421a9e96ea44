// Package dotnet reads what the configuration of a Functions app is made of, as
// .NET and the Functions host read it: settings, local.settings.json, JSON that
// people write, TimeSpan and NCRONTAB. It knows the forms, and no setting's
// meaning.
package dotnet
