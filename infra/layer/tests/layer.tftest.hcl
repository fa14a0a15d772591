mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

variables {
  environment  = "test"
  package      = "tests/layer.tftest.hcl"
  architecture = "arm64"
  runtime      = "python3.14"
}

run "the_layer_is_for_what_it_was_built_for" {
  command = plan

  assert {
    condition     = tolist(aws_lambda_layer_version.this.compatible_runtimes) == tolist(["python3.14"]) && tolist(aws_lambda_layer_version.this.compatible_architectures) == tolist(["arm64"])
    error_message = "The layer declares another runtime or processor."
  }

  assert {
    condition     = aws_lambda_layer_version.this.source_code_hash == filebase64sha256(var.package)
    error_message = "A changed zip would not be deployed."
  }

  assert {
    condition     = output.layer.arn == aws_lambda_layer_version.this.arn
    error_message = "The output is not the ARN of the version."
  }
}

run "a_zip_that_was_not_built_is_refused" {
  command = plan

  variables {
    package = "tests/nothing.zip"
  }

  expect_failures = [var.package]
}

run "another_processor_is_refused" {
  command = plan

  variables {
    architecture = "amd64"
  }

  expect_failures = [var.architecture]
}
