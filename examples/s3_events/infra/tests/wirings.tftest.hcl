mock_provider "aws" {
  source          = "../../../infra/mocks"
  override_during = plan
}

variables {
  environment  = "test"
  region       = "eu-west-1"
  package      = "tests/wirings.tftest.hcl"
  layers       = ["arn:aws:lambda:eu-west-1:111122223333:layer:made:1"]
  runtime      = "python3.14"
  architecture = "arm64"
  search_url   = "https://search.example.com"
  bucket       = { name = "acme-in", arn = "arn:aws:s3:::acme-in" }
  letters      = { name = "acme-letters", arn = "arn:aws:s3:::acme-letters" }
}

run "two_modules" {
  command = plan

  variables {
    wiring = "two_modules"
  }

  assert {
    condition = { for function in aws_s3_bucket_notification.bucket.lambda_function : function.id => sort(function.events) } == {
      extract = tolist(["s3:ObjectCreated:*"])
      nuke    = tolist(["s3:LifecycleExpiration:*", "s3:ObjectRemoved:*"])
    }
    error_message = "An event goes to the wrong module."
  }

  assert {
    condition     = { for name, function in local.functions : name => function.handler } == { extract = "examples.s3_events.extract.handler", nuke = "examples.s3_events.nuke.handler" }
    error_message = "A function has a wrong handler."
  }
}

run "two_handlers" {
  command = plan

  variables {
    wiring = "two_handlers"
  }

  assert {
    condition     = toset([for function in values(local.functions) : function.handler]) == toset(["examples.s3_events.s3in.handle_create", "examples.s3_events.s3in.handle_delete"])
    error_message = "A function has a wrong handler."
  }

  assert {
    condition     = length(aws_s3_bucket_notification.bucket.lambda_function) == 2 && length(aws_lambda_permission.bucket) == 2
    error_message = "A function is not invoked."
  }
}

run "one_handler" {
  command = plan

  assert {
    condition     = toset(one(aws_s3_bucket_notification.bucket.lambda_function).events) == toset(["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"])
    error_message = "The handler does not get all events."
  }

  assert {
    condition     = alltrue([for permission in aws_lambda_permission.bucket : permission.source_arn == "arn:aws:s3:::acme-in" && permission.source_account == "111122223333"])
    error_message = "Other principals can invoke the function."
  }
}
