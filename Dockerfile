# The function app as an image, for plans that run images. docs/deploy.md says which.
#   docker build --build-arg VERSION=1.2.3 -t visionkeeper .
FROM golang:1.26 AS build
ARG VERSION=development
WORKDIR /src
COPY . .
RUN make dist VERSION="$VERSION"

# The image that Core Tools take for custom handlers.
FROM mcr.microsoft.com/azure-functions/dotnet:4
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    FUNCTIONS_WORKER_RUNTIME=custom
COPY --from=build /src/dist /home/site/wwwroot
